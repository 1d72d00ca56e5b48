/** The public interface of the adapter. The rest of the service imports this file only. */
export { renderAnswerTable, withAnswerTable } from './answer-table.js';
export { ADVICE, type FixedBy } from './answers.js';
export {
  type Biotrack,
  type BiotrackOptions,
  type BiotrackTarget,
  type CallOptions,
  createBiotrack,
  type LoginVerdict,
  type Timeouts,
} from './biotrack.js';
export { ACTIONS, type Action } from './classify.js';
export { DEFAULT_STATES } from './default-states.js';
export type { BiotrackLogin, VendorCheck } from './dialect-client.js';
export type { ProxySettings } from './dispatcher.js';
export {
  BiotrackError,
  createLoginError,
  type Evidence,
  isLoginHeld,
  isLoginRefusal,
  isOfOneLogin,
  mayHaveCheckedLogin,
} from './errors.js';
export type { BiotrackEvent } from './events.js';
export type { VendorList } from './list.js';
export { parseStates, StatesFileError } from './parse-states.js';
export { probeUpstream } from './probe.js';
export type { BiotrackSession } from './session.js';
export type { BiotrackEnvironment, BiotrackState, Dialect, Offers } from './states.js';
