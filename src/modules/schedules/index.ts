export { useSchedules } from './routes.js';
export { beginSchedule, keepGoing, noteFailure, tickSchedules, wakeSchedule } from './service.js';
