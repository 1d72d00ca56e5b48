import type { Role } from '../domain/principal.js';

const everyRole: readonly Role[] = ['operator', 'admin', 'user'];
const managerRoles: readonly Role[] = ['operator', 'admin'];
const operatorOnly: readonly Role[] = ['operator'];

/**
 * The roles that may call each operation. The service does not start if an operation is missing here. Admins and users only
 * reach their own tenant; for objects of other tenants they receive 404.
 */
export const POLICY = {
  getLivez: 'public',
  getReadyz: 'public',
  listStates: everyRole,
  createApiKey: operatorOnly,
  listApiKeys: operatorOnly,
  deleteApiKey: operatorOnly,
  rotateApiKey: operatorOnly,
  getMe: everyRole,
  listTenants: operatorOnly,
  putTenant: operatorOnly,
  getTenant: everyRole,
  deleteTenant: operatorOnly,
  getSetup: everyRole,
  getOverview: everyRole,
  getConfiguration: everyRole,
  putConfiguration: managerRoles,
  getUbi: everyRole,
  putUbi: managerRoles,
  getCompanyCreationPreference: everyRole,
  putCompanyCreationPreference: managerRoles,
  previewCompanyCreationPreference: managerRoles,
  getCompanyCreationPreferenceAdvice: everyRole,
  // OWNER_POLICY restricts these further, by the owner of the credential.
  createCredential: everyRole,
  listCredentials: everyRole,
  getCredential: everyRole,
  updateCredential: everyRole,
  deleteCredential: everyRole,
  verifyCredential: everyRole,
  listCredentialCoverage: managerRoles,
  getUser: managerRoles,
  putUser: managerRoles,
  deleteUser: managerRoles,
  listAvailableLicenses: everyRole,
  createLicense: managerRoles,
  createLicenses: managerRoles,
  listLicenses: everyRole,
  getLicense: everyRole,
  updateLicense: managerRoles,
  archiveLicense: managerRoles,
  startSync: everyRole,
  listSyncs: everyRole,
  getSync: everyRole,
  cancelSync: managerRoles,
  createEventTicket: everyRole,
  listSyncEvents: everyRole,
  getSchedule: everyRole,
  resumeSchedule: managerRoles,
  getSyncPlan: everyRole,
  confirmSync: managerRoles,
  dismissSync: managerRoles,
  listCompanies: everyRole,
  getCompany: everyRole,
  createCompany: managerRoles,
  updateCompany: managerRoles,
  getCompanyExplanation: everyRole,
  getCompanyHistory: everyRole,
  listConflicts: everyRole,
  resolveConflict: managerRoles,
  listChanges: everyRole,
} as const satisfies Record<string, 'public' | readonly Role[]>;

export { OWNER_POLICY } from '../domain/owner-policy.js';

export type OperationId = keyof typeof POLICY;

export const isPublic = (id: OperationId): boolean => POLICY[id] === 'public';

export function mayCall(id: OperationId, role: Role): boolean {
  const allowed: 'public' | readonly Role[] = POLICY[id];
  return allowed === 'public' || allowed.includes(role);
}
