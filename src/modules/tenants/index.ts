export {
  findRevision,
  findTenant,
  getRevision,
  insertTenant,
  selectTenants,
  type Tenant,
  unverifyCredentials,
} from './repository.js';
export { registerTenantsRoutes } from './routes.js';
export {
  applyTenant,
  eachTenantId,
  inLockedTenant,
  inTenant,
  inTenantIfUnlocked,
  isTenantGone,
  type TenantInput,
} from './service.js';
