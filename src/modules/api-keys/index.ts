export { createKeyring, type Keyring } from './keyring.js';
export { registerApiKeysRoutes } from './routes.js';
export { authenticateApiKey, createApiKey } from './service.js';
