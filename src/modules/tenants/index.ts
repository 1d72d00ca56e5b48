export { findMark, findTenant, forgetVerdicts, getRevision, selectTenants, type Tenant } from './repository.js';
export { useTenants } from './routes.js';
export {
  applyTenant,
  eachTenantId,
  inFreeTenant,
  inLockedTenant,
  inTenant,
  isTenantGone,
  type TenantInput,
} from './service.js';
