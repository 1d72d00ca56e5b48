export { useSetup } from './routes.js';
