export { createIdempotencyStore, sweepOldKeys } from './service.js';
