export {
  findRevision,
  findTenant,
  getRevision,
  insertTenant,
  selectTenants,
  type Tenant,
  tenantExists,
} from './repository.js';
export { registerTenantsRoutes } from './routes.js';
export {
  applyTenant,
  eachTenantId,
  inLockedTenant,
  inTenant,
  inTenantIfUnlocked,
  isTenantGone,
  type ResetVerification,
  type TenantInput,
} from './service.js';
