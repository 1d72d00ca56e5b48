export { useChanges } from './routes.js';
