export { deleteKeysOfTenant } from './repository.js';
export { createIdempotencyStore, deleteExpiredKeys } from './service.js';
