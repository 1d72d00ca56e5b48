export { useConfiguration } from './routes.js';
