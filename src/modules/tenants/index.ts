export { findMark, findTenant, forgetVerdicts, getRevision, selectTenants, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { applyTenant, eachTenantId, inLockedTenant, inTenant, type TenantInput } from './service.js';
