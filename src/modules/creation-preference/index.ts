export { type CreationPreference, findCreationPreference, saveCreationPreference } from './repository.js';
export { registerCreationPreferenceRoutes, toPreferenceReply } from './routes.js';
export {
  applyCreationPreference,
  type CreationPreferenceInput,
  putCreationPreference,
  requireCreationPreference,
} from './service.js';
