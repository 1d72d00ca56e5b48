export { useApiKeys } from './routes.js';
export { authenticateApiKey, createApiKey } from './service.js';
