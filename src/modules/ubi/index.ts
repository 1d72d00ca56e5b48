export { findUbi, type Ubi } from './repository.js';
export { useUbi } from './routes.js';
export { noteUbiVerdict, requireUbi } from './service.js';
