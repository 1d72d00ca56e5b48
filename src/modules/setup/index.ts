export { registerSetupRoutes } from './routes.js';
