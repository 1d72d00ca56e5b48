export { type DatabaseFinding, examineDatabase } from './service.js';
