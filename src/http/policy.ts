import type { Role } from '../domain/principal.js';

const everybody: readonly Role[] = ['operator', 'admin', 'user'];
const managers: readonly Role[] = ['operator', 'admin'];
const operators: readonly Role[] = ['operator'];

/**
 * Who may do what: the one table, read by the routes and by the tests. An operation that is not in it does not start.
 * An admin or a user reaches his own tenant only; another tenant's objects do not exist for him.
 */
export const POLICY = {
  getLivez: 'public',
  getReadyz: 'public',
  listStates: everybody,
  createApiKey: operators,
  listApiKeys: operators,
  deleteApiKey: operators,
  listTenants: operators,
  putTenant: operators,
  getTenant: everybody,
  deleteTenant: operators,
  getSetup: everybody,
  getConfiguration: everybody,
  putConfiguration: managers,
  getUbi: everybody,
  putUbi: managers,
  getCompanyCreationPreference: everybody,
  putCompanyCreationPreference: managers,
  previewCompanyCreationPreference: managers,
  getCompanyCreationPreferenceAdvice: everybody,
  // Whose credential it is decides as well: OWNER_POLICY.
  createCredential: everybody,
  listCredentials: everybody,
  getCredential: everybody,
  updateCredential: everybody,
  deleteCredential: everybody,
  verifyCredential: everybody,
  listCredentialCoverage: managers,
  getUser: managers,
  putUser: managers,
  listAvailableLicenses: everybody,
  createLicense: managers,
  createLicenses: managers,
  listLicenses: everybody,
  getLicense: everybody,
  updateLicense: managers,
  archiveLicense: managers,
  startSync: everybody,
  listSyncs: everybody,
  getSync: everybody,
  cancelSync: managers,
  listSyncEvents: everybody,
  getSchedule: everybody,
  resumeSchedule: managers,
  getSyncPlan: everybody,
  confirmSync: managers,
  dismissSync: managers,
  listCompanies: everybody,
  getCompany: everybody,
  createCompany: managers,
  updateCompany: managers,
  getCompanyExplanation: everybody,
  getCompanyHistory: everybody,
  listConflicts: everybody,
  resolveConflict: managers,
  listChanges: everybody,
} as const satisfies Record<string, 'public' | readonly Role[]>;

export { OWNER_POLICY } from '../domain/owner-policy.js';

export type OperationId = keyof typeof POLICY;

export const isPublic = (id: OperationId): boolean => POLICY[id] === 'public';

export function mayCall(id: OperationId, role: Role): boolean {
  const allowed: 'public' | readonly Role[] = POLICY[id];
  return allowed === 'public' || allowed.includes(role);
}
