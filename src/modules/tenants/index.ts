export {
  findRevision,
  findTenant,
  insertTenant,
  selectTenants,
  type Tenant,
  tenantExists,
} from './repository.js';
export { registerTenantsRoutes } from './routes.js';
export {
  applyTenant,
  inLockedTenant,
  inTenant,
  inTenantIfUnlocked,
  inTenantLockedByRun,
  isTenantGone,
  iterateTenantIds,
  type PlannedWork,
  planAndRecord,
  planTenant,
  type ResetVerification,
  type TenantInput,
} from './service.js';
