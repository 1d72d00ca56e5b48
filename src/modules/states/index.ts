export { useStates } from './routes.js';
