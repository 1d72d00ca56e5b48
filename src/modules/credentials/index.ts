export { type Credential, selectCredentialsOf } from './repository.js';
export { useCredentials } from './routes.js';
export { type CredentialPorts, type ResealCounts, renameCredential, resealCredentials } from './service.js';
export { type CredentialState, loadCredentialStates } from './summary.js';
export {
  type Chosen,
  findUsableCredential,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  requireUsableCredential,
  toLoginPorts,
  type UsableCredential,
} from './use-credential.js';
export { toUpstreamFault, type Verdict } from './verdict.js';
