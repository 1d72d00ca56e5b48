export { useConflicts } from './routes.js';
