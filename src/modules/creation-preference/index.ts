export { type CreationPreference, findCreationPreference, saveCreationPreference } from './repository.js';
export { toPreferenceReply, useCreationPreference } from './routes.js';
export {
  applyCreationPreference,
  type CreationPreferenceInput,
  putCreationPreference,
  requireCreationPreference,
} from './service.js';
