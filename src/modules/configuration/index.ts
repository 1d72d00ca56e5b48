export { registerConfigurationRoutes } from './routes.js';
