export { registerSchedulesRoutes } from './routes.js';
export { beginSchedule, recordRunFailure, resumeAfterFix, scheduleNextRun, startDueSchedules } from './service.js';
