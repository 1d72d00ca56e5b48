export { useCredentials } from './routes.js';
export { type CredentialPorts, type ResealCounts, resealCredentials } from './service.js';
export {
  type CredentialSummary,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  loadCredentialSummary,
  requireUsableCredential,
  toLoginPorts,
  type UsableCredential,
} from './use-credential.js';
export { toUpstreamFault } from './verdict.js';
