export { registerConflictsRoutes, toConflictReply } from './routes.js';
export { type ConflictView, loadConflictPage } from './service.js';
