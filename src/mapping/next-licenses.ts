import type { ListedLicense } from '../domain/listed-license.js';
import { forEachYielding, sortYielding, type Yielding } from '../domain/yielding.js';
import { compareText } from './compare.js';
import type { FilteredLicense, PlanWarning } from './plan.js';
import type { LicenseState } from './snapshot.js';

/** A license as it shall be, but for the company that holds it: that is still the one that held it before, if any. */
export interface NextLicense {
  readonly before: LicenseState | undefined;
  /** `before` itself if the state says nothing new of it. */
  readonly next: Omit<LicenseState, 'id' | 'companyId' | 'ownCompanyId'>;
}

export interface NextLicenses {
  /** In the order of license keys. */
  readonly licenses: readonly NextLicense[];
  readonly warnings: readonly PlanWarning[];
  readonly notTaken: readonly FilteredLicense[];
}

export interface NextLicensesInput {
  readonly listed: readonly ListedLicense[];
  readonly known: readonly LicenseState[];
  readonly includeLabs: boolean;
  /** The time of the run, RFC 3339. */
  readonly at: string;
}

/**
 * Lays what the state lists beside what the tenant knows. Vanishing is not leaving: a license that is no longer listed,
 * or listed as deleted, stays known and becomes inactive. A license inactive at first sight is not taken at all.
 */
export function* toNextLicenses({ listed, known, includeLabs, at }: NextLicensesInput): Yielding<NextLicenses> {
  const knownByKey = new Map<string, LicenseState>();
  yield* forEachYielding(known, (license) => knownByKey.set(license.licenseKey, license));
  const licenses: NextLicense[] = [];
  const warnings: PlanWarning[] = [];
  const notTaken: FilteredLicense[] = [];
  yield* forEachYielding(listed, (license) => {
    const before = knownByKey.get(license.licenseKey);
    knownByKey.delete(license.licenseKey);
    const active = !license.isDeleted && (includeLabs || !license.isLab);
    if (before === undefined && !active) {
      notTaken.push(toNotTaken(license));
      return;
    }
    const next = toNext(license, before, active);
    if (license.ubiKey === null && next.ubiKey !== null) {
      warnings.push({ code: 'ubi_turned_blank', licenseNumber: license.licenseNumber });
    }
    licenses.push({ before, next });
  });
  yield* forEachYielding(knownByKey.values(), (before) => licenses.push({ before, next: toMissing(before, at) }));
  // In whatever order the list came.
  return {
    licenses: yield* sortYielding(licenses, (a, b) => compareText(a.next.licenseKey, b.next.licenseKey)),
    warnings: yield* sortYielding(warnings, byLicenseNumber),
    notTaken: yield* sortYielding(notTaken, byLicenseNumber),
  };
}

const byLicenseNumber = (a: { readonly licenseNumber: string }, b: { readonly licenseNumber: string }): number =>
  compareText(a.licenseNumber, b.licenseNumber);

function toNotTaken({ isDeleted, licenseNumber, ubi, name }: ListedLicense): FilteredLicense {
  return { reason: isDeleted ? 'inactive_at_first_sight' : 'lab_not_wanted', licenseNumber, ubi, name };
}

function toNext(listed: ListedLicense, before: LicenseState | undefined, active: boolean): NextLicense['next'] {
  // A blank never replaces a known UBI: the state forgot to say, the vendor did not change.
  const { ubi, ubiKey } = listed.ubiKey === null && before !== undefined ? before : listed;
  const isAsBefore =
    before?.contentHash === listed.contentHash &&
    before.ubi === ubi &&
    before.active === active &&
    before.missingSinceDatetime === null;
  if (isAsBefore) return before;
  return {
    licenseKey: listed.licenseKey,
    licenseNumber: listed.licenseNumber,
    ubi,
    ubiKey,
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

function toMissing(before: LicenseState, at: string): NextLicense['next'] {
  // Named by hand and never listed: it is awaited, not missing.
  if (before.contentHash === '') return before;
  return { ...before, active: false, missingSinceDatetime: before.missingSinceDatetime ?? at };
}
