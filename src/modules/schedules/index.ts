export { findSchedule, type Schedule } from './repository.js';
export { registerSchedulesRoutes } from './routes.js';
export {
  ensureSchedule,
  recordRunFailure,
  resumeAfterFix,
  scheduleNextRun,
  startDueSchedules,
  toResumeDetail,
} from './service.js';
