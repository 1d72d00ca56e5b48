import type { ListedLicense } from '../domain/listed-license.js';
import { forEachYielding, mapYielding, sortYielding, type Yielding } from '../domain/yielding.js';
import { compareText } from './compare.js';
import type { FilteredLicense, PlanWarning } from './plan.js';
import type { LicenseState } from './snapshot.js';

/** A license before and after the plan. Its company is assigned later. */
export interface NextLicense {
  readonly before: LicenseState | undefined;
  /** `before` itself if nothing changed. */
  readonly next: Omit<LicenseState, 'id' | 'companyId' | 'ownCompanyId'>;
}

export interface NextLicenses {
  /** Sorted by license key. */
  readonly licenses: readonly NextLicense[];
  readonly warnings: readonly PlanWarning[];
  readonly filtered: readonly FilteredLicense[];
}

export interface NextLicensesInput {
  readonly listed: readonly ListedLicense[];
  readonly known: readonly LicenseState[];
  readonly includeLabs: boolean;
  /** The time of the run, RFC 3339. */
  readonly at: string;
}

/**
 * Compares the state's list with the licenses that the tenant knows. A license that is no longer listed, or listed as
 * deleted, is kept and becomes inactive. A license that is inactive when first listed is filtered out.
 */
export function* toNextLicenses({ listed, known, includeLabs, at }: NextLicensesInput): Yielding<NextLicenses> {
  const knownByKey = new Map<string, LicenseState>();
  yield* forEachYielding(known, (license) => knownByKey.set(license.licenseKey, license));
  const licenses: NextLicense[] = [];
  const warnings: PlanWarning[] = [];
  const filtered: FilteredLicense[] = [];
  yield* forEachYielding(listed, (license) => {
    const before = knownByKey.get(license.licenseKey);
    knownByKey.delete(license.licenseKey);
    const active = !license.isDeleted && (includeLabs || !license.isLab);
    if (before === undefined && !active) {
      filtered.push(toFiltered(license));
      return;
    }
    const next = toNext(license, before, active);
    if (license.ubiKey === null && next.ubiKey !== null) {
      warnings.push({ code: 'ubi_turned_blank', licenseNumber: license.licenseNumber });
    }
    licenses.push({ before, next });
  });
  yield* forEachYielding(knownByKey.values(), (before) => licenses.push({ before, next: toMissing(before, at) }));
  const named = yield* withNamingUbis(licenses);
  // Sorted so that the result does not depend on the order of the list.
  return {
    licenses: yield* sortYielding(named, (a, b) => compareText(a.next.licenseKey, b.next.licenseKey)),
    warnings: yield* sortYielding(warnings, byLicenseNumber),
    filtered: yield* sortYielding(filtered, byLicenseNumber),
  };
}

const byLicenseNumber = (a: { readonly licenseNumber: string }, b: { readonly licenseNumber: string }): number =>
  compareText(a.licenseNumber, b.licenseNumber);

function toFiltered({ isDeleted, licenseNumber, ubi, name }: ListedLicense): FilteredLicense {
  return { reason: isDeleted ? 'inactive_when_first_listed' : 'labs_excluded', licenseNumber, ubi, name };
}

function toNext(listed: ListedLicense, before: LicenseState | undefined, active: boolean): NextLicense['next'] {
  // A blank never replaces a known UBI: a missing UBI does not mean that the vendor changed. The directory knows it best, so
  // that all tenants plan the same.
  const { ubi, ubiKey } = listed.ubiKey === null ? (listed.lastUbi ?? before ?? listed) : listed;
  const isUnchanged =
    before?.contentHash === listed.contentHash &&
    before.ubi === ubi &&
    before.active === active &&
    before.missingSinceDatetime === null;
  if (isUnchanged) return before;
  return {
    licenseKey: listed.licenseKey,
    licenseNumber: listed.licenseNumber,
    ubi,
    ubiKey,
    // After a sale, `withNamingUbis` decides.
    namingUbiKey: before === undefined || before.ubiKey === null ? ubiKey : before.namingUbiKey,
    name: listed.name,
    licenseType: listed.licenseType,
    licenseTypeRaw: listed.licenseTypeRaw,
    activities: listed.activities,
    address: listed.address,
    isLab: listed.isLab,
    namedByCompanyId: before?.namedByCompanyId ?? null,
    active,
    missingSinceDatetime: null,
    transactionIdOriginal: listed.transactionIdOriginal,
    contentHash: listed.contentHash,
  };
}

/** The licenses of a vendor that had none before name its company, although they were sold to it. */
function* withNamingUbis(licenses: readonly NextLicense[]): Yielding<readonly NextLicense[]> {
  if (!licenses.some(isSold)) return licenses;
  const established = new Set<string | null>();
  yield* forEachYielding(licenses, (license) => {
    if (license.next.active && !isSold(license)) established.add(license.next.ubiKey);
  });
  return yield* mapYielding(licenses, (license) => {
    const { before, next } = license;
    return isSold(license) && !established.has(next.ubiKey)
      ? { before, next: { ...next, namingUbiKey: next.ubiKey } }
      : license;
  });
}

const isSold = ({ before, next }: NextLicense): boolean =>
  before !== undefined && before.ubiKey !== null && before.ubiKey !== next.ubiKey;

function toMissing(before: LicenseState, at: string): NextLicense['next'] {
  // Added manually and not listed yet, so not missing.
  if (before.contentHash === '') return before;
  return { ...before, active: false, missingSinceDatetime: before.missingSinceDatetime ?? at };
}
