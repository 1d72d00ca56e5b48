export { findUbi, type Ubi } from './repository.js';
export { registerUbiRoutes } from './routes.js';
export { applyUbi, recordUbiStatus, requireUbi } from './service.js';
