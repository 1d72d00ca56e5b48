export { deleteExpiredChanges } from './retention.js';
export { registerChangesRoutes } from './routes.js';
