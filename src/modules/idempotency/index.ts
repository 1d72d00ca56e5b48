export { createIdempotencyKeys, sweepOldKeys } from './service.js';
