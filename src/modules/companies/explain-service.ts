import type { Db, Tx } from '../../db/database.js';
import { toUbiKey } from '../../domain/key.js';
import { notFound } from '../../domain/service-error.js';
import type { Strategy } from '../../domain/strategy.js';
import {
  explainHolding,
  explainVendorCompany,
  type Holding,
  type LicenseState,
  type Snapshot,
  type VendorCandidate,
} from '../../mapping/index.js';
import { loadPart, loadScopeRows, type Names, selectCompanyNames } from '../../plans/index.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { inTenant } from '../tenants/index.js';
import type { Company } from './company.js';
import {
  type DecisiveChange,
  findFirstSync,
  getCreation,
  selectAssignments,
  selectHeldLicenses,
} from './history-repository.js';
import { findCompany } from './repository.js';

/** Who decided something, when and why. */
export type Decided = Omit<DecisiveChange, 'licenseId'>;

export interface ExplainedLicense {
  readonly license: LicenseState;
  readonly holding: Holding;
  readonly decided: Decided | undefined;
}

export interface Explanation {
  readonly company: Company;
  readonly strategy: Strategy | null;
  readonly created: Decided;
  /** The license whose own company it is. */
  readonly ownOf: LicenseState | undefined;
  /** The UBI whose vendor company it is, with all candidates for that. */
  readonly vendorCompanyOf: { readonly ubiKey: string; readonly candidates: readonly VendorCandidate[] } | undefined;
  readonly licenses: readonly ExplainedLicense[];
  /** The display names of all other companies in the explanation. */
  readonly names: Names;
}

/** Why a company exists and why it holds each of its licenses. Derived from the stored rows by the rules of a sync. */
export const explainCompany = (db: Db, tenantId: string, id: string): Promise<Explanation> =>
  inTenant(db, tenantId, async (tx) => {
    const company = await findCompany(tx, id);
    if (company === undefined) throw notFound('company');
    const strategy = (await findCreationPreference(tx))?.strategy ?? null;
    const { licenses, vendorCompanies, decisions } = await loadNeighbors(tx, id);
    const vendorCompany = vendorCompanies.find(({ companyId }) => companyId === id);
    const ownOf = licenses.find(({ ownCompanyId }) => ownCompanyId === id);
    const assignments = new Map((await selectAssignments(tx, id)).map((entry) => [entry.licenseId, entry]));
    const firstSync = await findFirstSync(tx);
    const ofFirstSync = new Set(
      (await selectHeldLicenses(tx, id, [])).flatMap((held) => (held.isOfFirstSync ? held.id : [])),
    );
    const group = licenses.filter(({ active, ubiKey }) => active && ubiKey === vendorCompany?.ubiKey);
    const candidates =
      vendorCompany === undefined
        ? []
        : explainVendorCompany(vendorCompany, group, vendorCompanies, ownOf, company.origin === 'manual');
    const explained = licenses
      .filter(({ companyId }) => companyId === id)
      .map((license) => ({
        license,
        holding: explainHolding({
          license,
          strategy: strategy ?? 'one_per_license',
          vendorCompanyId: vendorCompanies.find(({ ubiKey }) => ubiKey === license.ubiKey)?.companyId ?? null,
          decision: decisions.find(({ ubiKey }) => ubiKey === license.ubiKey),
        }),
        decided: assignments.get(license.id) ?? (ofFirstSync.has(license.id) ? firstSync : undefined),
      }));
    return {
      company,
      strategy,
      created: await getCreation(tx, id),
      ownOf,
      vendorCompanyOf: vendorCompany && { ubiKey: vendorCompany.ubiKey, candidates },
      licenses: explained,
      names: await selectCompanyNames(tx, [
        company.supersededBy,
        ...candidates.map(({ companyId }) => companyId),
        ...explained.flatMap(({ holding }) => holding.rejected.map(({ companyId }) => companyId)),
      ]),
    };
  });

/** The company with its licenses, their vendors, and the other licenses of those vendors. */
async function loadNeighbors(tx: Tx, id: string): Promise<Snapshot> {
  const own = await loadScopeRows(tx, { licenseKeys: [], companyIds: [id], ubiKeys: [] });
  const ubiKeys = [...own.licenses, ...own.vendorCompanies].flatMap(({ ubiKey }) => toUbiKey(ubiKey) ?? []);
  const wider = await loadScopeRows(tx, { licenseKeys: [], companyIds: [id], ubiKeys });
  const rivals = wider.licenses.flatMap(({ ownCompanyId }) => ownCompanyId ?? []);
  const { vendorCompanies } = await loadScopeRows(tx, {
    licenseKeys: [],
    companyIds: rivals,
    ubiKeys: [],
  });
  return loadPart(tx, null, {
    licenseKeys: new Set(wider.licenses.map(({ licenseKey }) => licenseKey)),
    companyIds: new Set([id]),
    ubiKeys: new Set([...ubiKeys, ...vendorCompanies.map(({ ubiKey }) => ubiKey)]),
    nameGroups: new Set(),
  });
}
