export { type CreationPreference, findCreationPreference } from './repository.js';
export { useCreationPreference } from './routes.js';
export { applyCreationPreference, requireCreationPreference } from './service.js';
