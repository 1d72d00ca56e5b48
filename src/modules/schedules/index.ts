export {
  findSchedule,
  type Leader,
  type Leaders,
  type Schedule,
  type StateKey,
  saveStateCheck,
  selectDueStates,
  selectLeaders,
} from './repository.js';
export { registerSchedulesRoutes, toScheduleReply } from './routes.js';
export {
  ensureSchedule,
  recordRunFailure,
  resumeAfterFix,
  scheduleNextRun,
  startDueSchedules,
  toResumeMessage,
} from './service.js';
