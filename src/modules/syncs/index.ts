export { carryOut, carryOutDecision, findGround, type Ground, storePlan, toPlanRequest } from './carry-out.js';
export { saveResolution } from './conflict-repository.js';
export type { RunWarning } from './outcome-repository.js';
export { toAmbiguousItem } from './plan-items.js';
export { planDecision, planSnapshot } from './plan-tenant.js';
export { RUN_PATIENCE, type RunPatience } from './put-off.js';
export {
  findActiveRun,
  findLastEndedRun,
  findRun,
  finishRun,
  insertRunningRun,
  type SyncRun,
  saveApplied,
} from './repository.js';
export { remake } from './review-service.js';
export { toSyncRunReply, useSyncs } from './routes.js';
export { type RunOutcome, type RunSyncDeps, runSync } from './run-sync.js';
export { queueRun } from './service.js';
export { startDueRuns, sweepAbandonedRuns } from './sweep.js';
