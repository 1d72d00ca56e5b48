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
import { findCreationPreference } from '../creation-preference/index.js';
import { inTenant } from '../tenants/index.js';
import { type DecisiveChange, findFirstChange, selectPlacingChanges } from './history-repository.js';
import { type CompanyRow, findCompany } from './repository.js';
import { loadPart, loadScopeAnswer } from './snapshot-repository.js';

/** Who decided something, and when. */
export interface Decided {
  readonly reason: string | null;
  readonly actor: string;
  readonly runId: string | null;
  readonly at: Date;
}

export interface ExplainedLicense {
  readonly license: LicenseState;
  readonly holding: Holding;
  readonly decided: Decided | undefined;
}

export interface Explanation {
  readonly company: CompanyRow;
  readonly strategy: Strategy | null;
  readonly created: Decided | undefined;
  /** The license whose own company it is. */
  readonly ownOf: LicenseState | undefined;
  /** The UBI that it stands for, with whoever could have stood for it. */
  readonly standsFor: { readonly ubiKey: string; readonly candidates: readonly VendorCandidate[] } | undefined;
  readonly licenses: readonly ExplainedLicense[];
}

/** Why a company exists, and why it holds each of its licenses: told from what is kept, by the rules that are applied. */
export const explainCompany = (db: Db, tenantId: string, id: string): Promise<Explanation> =>
  inTenant(db, tenantId, async (tx) => {
    const company = await findCompany(tx, id);
    if (company === undefined) throw notFound('company');
    const strategy = (await findCreationPreference(tx))?.strategy ?? null;
    const around = await loadAround(tx, id);
    const standing = around.vendorCompanies.find(({ companyId }) => companyId === id);
    const ownOf = around.licenses.find(({ ownCompanyId }) => ownCompanyId === id);
    const held = around.licenses.filter(({ companyId }) => companyId === id);
    const placed = new Map((await selectPlacingChanges(tx, id)).map((line) => [line.license_id, line]));
    const group = around.licenses.filter(({ active, ubiKey }) => active && ubiKey === standing?.ubiKey);
    return {
      company,
      strategy,
      created: toDecided(await findFirstChange(tx, id)),
      ownOf,
      standsFor:
        standing === undefined
          ? undefined
          : {
              ubiKey: standing.ubiKey,
              candidates: explainVendorCompany(
                standing,
                group,
                around.vendorCompanies,
                ownOf,
                company.origin === 'manual',
              ),
            },
      licenses: held.map((license) => ({
        license,
        holding: explainHolding({
          license,
          strategy: strategy ?? 'one_per_license',
          vendorCompanyId: around.vendorCompanies.find(({ ubiKey }) => ubiKey === license.ubiKey)?.companyId ?? null,
          decision: around.decisions.find(({ ubiKey }) => ubiKey === license.ubiKey),
        }),
        decided: toDecided(placed.get(license.id)),
      })),
    };
  });

/** The company with its licenses, their vendors, and the other licenses of those. */
async function loadAround(tx: Tx, id: string): Promise<Snapshot> {
  const own = await loadScopeAnswer(tx, { kind: 'neighbours', licenseKeys: [], companyIds: [id], ubiKeys: [] });
  const ubiKeys = [...own.licenses, ...own.vendorCompanies].flatMap(({ ubiKey }) => toUbiKey(ubiKey) ?? []);
  const wider = await loadScopeAnswer(tx, { kind: 'neighbours', licenseKeys: [], companyIds: [id], ubiKeys });
  const rivals = wider.licenses.flatMap(({ ownCompanyId }) => ownCompanyId ?? []);
  const { vendorCompanies } = await loadScopeAnswer(tx, {
    kind: 'neighbours',
    licenseKeys: [],
    companyIds: rivals,
    ubiKeys: [],
  });
  const part = await loadPart(tx, null, {
    licenseKeys: new Set(wider.licenses.map(({ licenseKey }) => licenseKey)),
    companyIds: new Set([id]),
    ubiKeys: new Set([...ubiKeys, ...vendorCompanies.map(({ ubiKey }) => ubiKey)]),
    nameGroups: new Set(),
    namesakeIds: new Set(),
  });
  return part;
}

const toDecided = (line: DecisiveChange | undefined): Decided | undefined =>
  line === undefined
    ? undefined
    : { reason: line.reason, actor: line.actor, runId: line.run_id, at: line.inserted_datetime };
