export { findTenant, forgetVerdicts, getRevision, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { eachTenantId, inLockedTenant, inTenant } from './service.js';
