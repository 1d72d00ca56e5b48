export { useCredentials } from './routes.js';
export { type CredentialPorts, noteVerdict } from './service.js';
export {
  type CredentialSummary,
  getUsableCredential,
  loadCredentialSummary,
  requireUsableCredential,
  type UsableCredential,
} from './use-credential.js';
export { toUpstreamFault } from './verdict.js';
