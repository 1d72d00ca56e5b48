export { applyDecision, applyPlan, findPlanInputs, type PlanInputs, storePlan, toPlanRequest } from './apply.js';
export { countOpenConflicts, saveResolution } from './conflict-repository.js';
export { toAmbiguousItem } from './plan-items.js';
export type { RunWarning } from './plan-result-repository.js';
export { planDecision, planSnapshot } from './plan-tenant.js';
export {
  findActiveRun,
  findLastEndedRun,
  findRun,
  finishRun,
  insertRunningRun,
  type SyncRun,
  saveApplied,
} from './repository.js';
export { RETRY_POLICY, type RetryPolicy } from './retry-policy.js';
export { reproducePlan } from './review-service.js';
export { registerSyncsRoutes, toSyncRunReply } from './routes.js';
export { type RunReport, type RunSyncDeps, runSync } from './run-sync.js';
export { queueRun } from './service.js';
export { startDueRuns, sweepAbandonedRuns } from './sweep.js';
