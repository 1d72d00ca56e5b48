export {
  findRevision,
  findTenant,
  insertTenant,
  lockTenantRowIfFree,
  selectTenant,
  selectTenants,
  type Tenant,
  tenantExists,
} from './repository.js';
export {
  allocateChangeNumbers,
  recordFeedStart,
  recordFirstSync,
  renewFeedEpoch,
} from './revision-repository.js';
export { registerTenantsRoutes, toTenantReply } from './routes.js';
export {
  applyTenant,
  inLockedTenant,
  inTenant,
  isTenantGone,
  iterateTenantIds,
  type PlannedWork,
  planAndRecord,
  type ResetVerification,
  type TenantInput,
} from './service.js';
