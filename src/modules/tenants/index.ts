export { findMark, forgetVerdicts, getRevision, selectTenants, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { applyTenant, inLockedTenant, inTenant, type TenantInput } from './service.js';
