export { type CreationPreference, findCreationPreference } from './repository.js';
export { useCreationPreference } from './routes.js';
export { requireCreationPreference } from './service.js';
