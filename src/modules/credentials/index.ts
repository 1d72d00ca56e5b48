export { useCredentials } from './routes.js';
export type { CredentialPorts } from './service.js';
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
