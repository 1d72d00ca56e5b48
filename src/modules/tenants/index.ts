export { findMark, forgetVerdicts, getRevision, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { inLockedTenant, inTenant } from './service.js';
