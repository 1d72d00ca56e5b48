export { RUN_PATIENCE, type RunPatience } from './put-off.js';
export { findActiveRun, type SyncRun } from './repository.js';
export { useSyncs } from './routes.js';
export { type RunOutcome, type RunSyncDeps, runSync } from './run-sync.js';
export { queueRun } from './service.js';
export { startDueRuns, sweepAbandonedRuns } from './sweep.js';
