export { findMark, forgetVerdicts, getRevision, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { applyTenant, inLockedTenant, inTenant, type TenantInput } from './service.js';
