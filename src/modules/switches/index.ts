export { registerSwitchesRoutes } from './routes.js';
