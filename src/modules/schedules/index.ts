export { findSchedule, type Schedule, scheduleNextRun } from './repository.js';
export { registerSchedulesRoutes } from './routes.js';
export {
  ensureSchedule,
  recordRunFailure,
  resumeAfterFix,
  startDueSchedules,
  toResumeDetail,
} from './service.js';
