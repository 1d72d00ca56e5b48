export { findActiveRun, findLastEndedRun, type SyncRun } from './repository.js';
export { useSyncs } from './routes.js';
export { type RunOutcome, type RunSyncDeps, runSync } from './run-sync.js';
export { queueRun } from './service.js';
export { sweepAbandonedRuns } from './sweep.js';
