export { createIdempotencyStore, deleteExpiredKeys } from './service.js';
