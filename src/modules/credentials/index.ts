export { type Chosen, type CredentialState, isUsable, loadCredentialStates } from './candidates.js';
export { toMending } from './mending.js';
export { type Credential, selectCredentialsOf } from './repository.js';
export { useCredentials } from './routes.js';
export { type CredentialPorts, type ResealCounts, renameCredential, resealCredentials } from './service.js';
export {
  findLogin,
  findUsableCredential,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  requireUsableCredential,
  toLoginPorts,
  toRefusedFault,
  type UsableCredential,
} from './use-credential.js';
export { toUpstreamFault, type Verdict } from './verdict.js';
