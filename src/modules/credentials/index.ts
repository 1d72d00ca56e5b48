export { useCredentials } from './routes.js';
export type { CredentialPorts } from './service.js';
export {
  type CredentialSummary,
  getUsableCredential,
  LoginRefusedError,
  loadCredentialSummary,
  noteRefusal,
  requireUsableCredential,
  type UsableCredential,
} from './use-credential.js';
export { toUpstreamFault } from './verdict.js';
