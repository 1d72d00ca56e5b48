export { measure } from './service.js';
