export { createKeyring, type Keyring } from './keyring.js';
export { useApiKeys } from './routes.js';
export { authenticateApiKey, createApiKey } from './service.js';
