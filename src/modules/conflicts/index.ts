export { registerConflictsRoutes } from './routes.js';
