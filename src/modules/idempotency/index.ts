export { createIdempotencyKeys } from './service.js';
