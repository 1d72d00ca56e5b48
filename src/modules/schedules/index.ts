export { registerSchedulesRoutes } from './routes.js';
export { ensureSchedule, recordRunFailure, resumeAfterFix, scheduleNextRun, startDueSchedules } from './service.js';
