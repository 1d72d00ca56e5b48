export { type ChosenCredential, type CredentialState, loadCredentialStates } from './candidates.js';
export { type Coverage, findCoverage } from './coverage.js';
export { type LoginResult, toUpstreamError } from './login-result.js';
export { restoreStatuses } from './record-login.js';
export { toRemediation } from './remediation.js';
export { type Credential, deleteCredentialsOfUser, isUsable, selectCredentialsOf } from './repository.js';
export { registerCredentialsRoutes, toCoverageReply, toCredentialReply } from './routes.js';
export { type ResealCounts, resealCredentials } from './sealing.js';
export { type CredentialPorts, type CredentialView, loadCredentialPage, renameCredential } from './service.js';
export { openSession } from './session.js';
export {
  chooseCompanyLogin,
  chooseLogin,
  findLogin,
  findUsableCredential,
  getUsableCredential,
  hasOtherLogin,
  isRefusal,
  LoginRefusedError,
  openLogin,
  requireUsableCredential,
  toRefusedError,
  type UsableCredential,
} from './use-credential.js';
export { resetVerification } from './verify-service.js';
