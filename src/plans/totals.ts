import type { CompanyState, LicenseState, Snapshot, SyncPlan } from '../mapping/index.js';

/** Numbers of a tenant's companies and licenses. Kept with the last sync, because counting would read all rows. */
export interface Totals {
  readonly companies: number;
  readonly activeCompanies: number;
  readonly activeLicenses: number;
  /** The tenant's licenses that the state lists. */
  readonly listedLicenses: number;
}

export const countSnapshot = ({ companies, licenses }: Pick<Snapshot, 'companies' | 'licenses'>): Totals => ({
  companies: companies.length,
  activeCompanies: countWhere(companies, isActiveCompany),
  activeLicenses: countWhere(licenses, isActiveLicense),
  listedLicenses: countWhere(licenses, isListed),
});

/** The numbers after the steps of a plan. */
export const addSteps = (
  totals: Totals,
  { companies, licenses }: Pick<SyncPlan, 'companies' | 'licenses'>,
): Totals => ({
  companies: totals.companies + difference(companies, () => true),
  activeCompanies: totals.activeCompanies + difference(companies, isActiveCompany),
  activeLicenses: totals.activeLicenses + difference(licenses, isActiveLicense),
  listedLicenses: totals.listedLicenses + difference(licenses, isListed),
});

const isActiveCompany = ({ archivedDatetime }: CompanyState): boolean => archivedDatetime === null;
const isActiveLicense = ({ active }: LicenseState): boolean => active;
// A license that a manual company names has no content until the state lists it.
const isListed = ({ missingSinceDatetime, contentHash }: LicenseState): boolean =>
  missingSinceDatetime === null && contentHash !== '';

function countWhere<T>(objects: readonly T[], isCounted: (object: T) => boolean): number {
  let count = 0;
  for (const object of objects) if (isCounted(object)) count += 1;
  return count;
}

function difference<T>(
  steps: readonly { readonly before?: T | undefined; readonly after: T }[],
  isCounted: (object: T) => boolean,
): number {
  let sum = 0;
  for (const { before, after } of steps) {
    if (isCounted(after)) sum += 1;
    if (before !== undefined && isCounted(before)) sum -= 1;
  }
  return sum;
}
