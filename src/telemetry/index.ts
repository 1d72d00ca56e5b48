export { listenForMetrics, type MetricsListener } from './listener.js';
export { createLogger } from './logger.js';
export { createMetrics, type Metrics, type MetricsJson } from './metrics.js';
