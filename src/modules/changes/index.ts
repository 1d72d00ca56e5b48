export { registerChangesRoutes } from './routes.js';
