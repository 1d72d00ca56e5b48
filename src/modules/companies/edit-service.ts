import type { Db } from '../../db/database.js';
import { findDifference } from '../../domain/difference.js';
import { toLicenseKey } from '../../domain/key.js';
import { toUnlistedLicense } from '../../domain/license-fields.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toActor } from '../../domain/principal.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { type CompanyState, type LicenseState, type LicenseStep, toNameGroup } from '../../mapping/index.js';
import {
  applyDisplayNames,
  applyManualCompany,
  getInputsRevision,
  loadCompanies,
  loadLicenses,
  recordChanges,
  saveEditedState,
  saveEdits,
} from '../../plans/index.js';
import { inLockedTenant } from '../tenants/index.js';
import { type CompanyEdits, EDITABLE_FIELDS } from './company.js';
import { assignLeaflinkCustomer } from './leaflink-customer.js';
import { type CompanyView, findCompany, getCompanyView, type StoredCompany } from './repository.js';

export interface CompanyEdit {
  readonly id: string;
  readonly edits: CompanyEdits;
  /** Undefined leaves it as it is. */
  readonly leaflinkCustomerId: string | null | undefined;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

/** Saves a user's edits. An edited name overrides the name from BioTrack until it is set to null. */
export const editCompany = (
  db: Db,
  tenantId: string,
  { id, edits, leaflinkCustomerId, precondition, principal }: CompanyEdit,
): Promise<CompanyView> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const before = await findCompany(tx, id);
    if (before === undefined) throw notFound('company');
    checkPrecondition(precondition, before.version);
    if (edits.name === null && before.origin === 'manual') {
      throw new ServiceError('invalid_request', '/name must not be null: a manual company has no name from BioTrack.', {
        errors: [{ pointer: '/name', detail: 'must not be null for a manual company' }],
      });
    }
    rejectUnstorable(edits.customData);
    const origin = { actor: toActor(principal), runId: null };
    const revision = await getInputsRevision(tx);
    if (leaflinkCustomerId !== undefined) await assignLeaflinkCustomer(tx, tenantId, id, leaflinkCustomerId, origin);
    await saveEdits(tx, id, edits);
    const after = (await findCompany(tx, id)) as StoredCompany;
    const difference = findDifference(before, after, EDITABLE_FIELDS);
    if (difference !== undefined) {
      const entry = {
        kind: 'company.edited',
        reason: 'edited_by_user',
        companyId: id,
        fromCompanyId: null,
        licenseId: null,
        licenseNumber: null,
      } as const;
      await recordChanges(tx, tenantId, [{ ...entry, ...difference }], origin);
    }
    if (after.name !== before.name) {
      await applyDisplayNames(tx, tenantId, id, [before.nameGroup, toNameGroup(after.name)], origin);
    }
    await saveEditedState(tx, revision);
    return getCompanyView(tx, tenantId, id, 'active');
  });

/** Postgres cannot store NUL and lone surrogates in `jsonb`; JSON cannot represent numbers beyond a double. */
function rejectUnstorable(customData: CompanyEdits['customData']): void {
  if (customData === undefined) return;
  const isTooLarge = Buffer.byteLength(JSON.stringify(customData)) > MAX_CUSTOM_DATA_BYTES;
  if (!isTooLarge && isStorable(customData)) return;
  const detail = isTooLarge
    ? 'must not be larger than 8 KiB as JSON'
    : 'contains text or a number that cannot be stored';
  const error = { pointer: '/custom_data', detail };
  throw new ServiceError('invalid_request', `${error.pointer} ${error.detail}.`, { errors: [error] });
}

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && !LONE_SURROGATE.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => isStorable(name) && isStorable(inner));
}

/** As compact JSON in UTF-8. */
const MAX_CUSTOM_DATA_BYTES = 8 * 1024;

const LONE_SURROGATE = /\p{Surrogate}/u;

export interface ManualCompanyPorts {
  readonly newId: () => string;
  readonly clock: () => Date;
}

export interface ManualCompany {
  readonly name: string;
  readonly licenseNumbers: readonly string[];
}

/** Creates a manual company. It holds the given licenses under either strategy; unlisted ones join once they are listed. */
export const createCompany = (
  db: Db,
  { newId, clock }: ManualCompanyPorts,
  tenantId: string,
  { name, licenseNumbers }: ManualCompany,
  principal: Principal,
): Promise<CompanyView> =>
  inLockedTenant(db, tenantId, async (tx) => {
    const keys = licenseNumbers.map(toLicenseKey);
    rejectRepetition(keys);
    const known = new Map((await loadLicenses(tx, keys)).map((license) => [license.licenseKey, license]));
    const holders = await loadCompanies(tx, new Set([...known.values()].map(({ companyId }) => companyId)));
    rejectHeld(keys, known, holders);
    const company = toManualCompany(newId(), name);
    const licenses = licenseNumbers.map((licenseNumber, index): LicenseStep => {
      const key = keys[index] as string;
      const before = known.get(key);
      const placement = { companyId: company.id, namedByCompanyId: company.id };
      if (before !== undefined) return { kind: 'license.moved', before, after: { ...before, ...placement } };
      const after = { ...toUnlisted(newId(), key, licenseNumber), ...placement };
      return { kind: 'license.created', before, after };
    });
    await applyManualCompany(tx, tenantId, { company, licenses, actor: toActor(principal), at: clock(), newId });
    return getCompanyView(tx, tenantId, company.id, 'all');
  });

function rejectRepetition(keys: readonly string[]): void {
  const index = keys.findIndex((key, at) => keys.indexOf(key) !== at);
  if (index === -1) return;
  const error = { pointer: `/license_numbers/${index}`, detail: 'repeats an earlier number' };
  throw new ServiceError('invalid_request', `${error.pointer} ${error.detail}.`, { errors: [error] });
}

/** A license is taken if an active company holds it, even while the license is inactive, or a manual company names it. */
function rejectHeld(
  keys: readonly string[],
  known: ReadonlyMap<string, LicenseState>,
  holders: readonly CompanyState[],
): void {
  const active = new Set(holders.flatMap(({ id, archivedDatetime }) => (archivedDatetime === null ? id : [])));
  for (const [index, key] of keys.entries()) {
    const license = known.get(key);
    if (license === undefined || (!active.has(license.companyId) && license.namedByCompanyId === null)) continue;
    throw new ServiceError(
      'license_taken',
      'Another company holds one of these licenses. Remove that license from the request, then retry.',
      {
        conflicting_id: license.companyId,
        errors: [{ pointer: `/license_numbers/${index}`, detail: 'is held by another company' }],
      },
    );
  }
}

const toManualCompany = (id: string, name: string): CompanyState => ({
  id,
  origin: 'manual',
  sourceName: null,
  editedName: name,
  displayName: name,
  nameGroup: toNameGroup(name),
  ubi: null,
  ubiKey: null,
  isOwnCompany: false,
  archivedDatetime: null,
  supersededBy: null,
});

function toUnlisted(
  id: string,
  licenseKey: string,
  licenseNumber: string,
): Omit<LicenseState, 'companyId' | 'namedByCompanyId'> {
  const { isDeleted, ...listing } = toUnlistedLicense(licenseKey, licenseNumber);
  return { ...listing, id, ownCompanyId: null, namingUbiKey: null, active: false, missingSinceDatetime: null };
}
