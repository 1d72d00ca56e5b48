export { registerCompaniesRoutes } from './routes.js';
