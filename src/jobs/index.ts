export { startWorker, type Tasks, type Worker } from './queue.js';
