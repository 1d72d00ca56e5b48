export { registerStatesRoutes } from './routes.js';
