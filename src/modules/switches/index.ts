export { useSwitches } from './routes.js';
