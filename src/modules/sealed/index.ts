export { countSealed, type SealedCount } from './service.js';
