export { type ChosenCredential, type CredentialState, isUsable, loadCredentialStates } from './candidates.js';
export { type LoginResult, toUpstreamError } from './login-result.js';
export { toRemediation } from './remediation.js';
export { type Credential, deleteCredentialsOfUser, selectCredentialsOf } from './repository.js';
export { registerCredentialsRoutes } from './routes.js';
export {
  type CredentialPorts,
  type ResealCounts,
  renameCredential,
  resealCredentials,
  resetVerification,
} from './service.js';
export {
  findLogin,
  findUsableCredential,
  getUsableCredential,
  isRefusal,
  LoginRefusedError,
  requireUsableCredential,
  toLoginPorts,
  toRefusedError,
  type UsableCredential,
} from './use-credential.js';
