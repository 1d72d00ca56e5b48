export { forgetVerdicts, getRevision, raiseRevision, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export { inLockedTenant, inTenant } from './service.js';
