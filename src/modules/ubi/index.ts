export { findUbi, resetUbiStatus, type Ubi } from './repository.js';
export { registerUbiRoutes, toUbiReply } from './routes.js';
export { applyUbi, recordUbiStatus, requireTenantWithUbi, requireUbi, type UbiPorts } from './service.js';
