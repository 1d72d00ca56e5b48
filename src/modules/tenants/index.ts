export {
  findRevision,
  findTenant,
  getRevision,
  selectTenants,
  type Tenant,
  unverifyCredentials,
} from './repository.js';
export { registerTenantsRoutes } from './routes.js';
export {
  applyTenant,
  eachTenantId,
  inFreeTenant,
  inLockedTenant,
  inTenant,
  isTenantGone,
  type TenantInput,
} from './service.js';
