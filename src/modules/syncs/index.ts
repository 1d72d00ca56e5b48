export { createEventTickets } from './event-tickets.js';
export { finishRun } from './held-run-repository.js';
export { LARGE_PLAN_LICENSES, LargePlans } from './large-plans.js';
export {
  findActiveRun,
  findLastEndedRun,
  findRun,
  insertRunningRun,
  type SyncRun,
  saveApplied,
  selectRuns,
} from './repository.js';
export { deleteExpiredRuns } from './retention.js';
export type { Retention } from './retention-repository.js';
export { RETRY_POLICY, type RetryPolicy } from './retry-policy.js';
export { replaceRequester } from './review-service.js';
export { registerSyncsRoutes, toSyncRunReply } from './routes.js';
export { type RunReport, type RunSyncDeps, runSync } from './run-sync.js';
export { queueRun } from './service.js';
export { createStateChecks } from './state-checks.js';
export { sweepAbandonedRuns } from './sweep.js';
