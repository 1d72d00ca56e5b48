export { findUbi, type Ubi } from './repository.js';
export { useUbi } from './routes.js';
export { applyUbi, noteUbiVerdict, requireUbi } from './service.js';
