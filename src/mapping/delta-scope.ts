import { toNameGroup } from './display-names.js';
import { toNamelessName } from './next-companies.js';
import type { VendorCompany } from './snapshot.js';

/** What a change begins with: licenses that are listed differently, or companies and UBIs that a person decided about. */
export interface ScopeStart {
  readonly licenseKeys: readonly string[];
  readonly companyIds: readonly string[];
  readonly ubiKeys: readonly string[];
  /** Of the licenses as they are listed now: a company may come to be called so. */
  readonly listed: readonly Pick<ScopeLicense, 'name' | 'licenseNumber'>[];
}

/** What has to be looked up next. */
export type ScopeQuestion =
  /** Licenses with these keys, of these companies (held, own, or named by hand), or of these UBIs; and those companies. */
  | {
      readonly kind: 'neighbours';
      readonly licenseKeys: readonly string[];
      readonly companyIds: readonly string[];
      readonly ubiKeys: readonly string[];
    }
  /** Active companies of these name groups. */
  | { readonly kind: 'namesakes'; readonly nameGroups: readonly string[] };

export interface ScopeLicense {
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly name: string | null;
  readonly ubiKey: string | null;
  readonly companyId: string;
  readonly ownCompanyId: string | null;
  readonly namedByCompanyId: string | null;
}

export interface ScopeAnswer {
  readonly licenses: readonly ScopeLicense[];
  readonly companies: readonly { readonly id: string; readonly nameGroup: string }[];
  /** Of the UBIs and companies that were asked about: which company stands for a UBI, as remembered or as decided. */
  readonly vendorCompanies: readonly VendorCompany[];
}

/** The part of a tenant that a change can touch: whatever is beside it stays as it is. */
export interface Scope {
  readonly licenseKeys: ReadonlySet<string>;
  readonly companyIds: ReadonlySet<string>;
  readonly ubiKeys: ReadonlySet<string>;
  readonly nameGroups: ReadonlySet<string>;
}

/**
 * Finds all that a change can touch: a license touches its companies and its UBI, those touch all their licenses, and so
 * on until nothing new comes; then whoever is called like one of the companies, before or after. It asks for what it
 * needs to know of the tenant and is told, so that it stays pure, whoever looks it up.
 */
export function* findScope(start: ScopeStart): Generator<ScopeQuestion, Scope, ScopeAnswer> {
  const spreading = new Spreading();
  yield* spreading.spread(start);
  for (const { name, licenseNumber } of start.listed) spreading.addNames(name, licenseNumber);
  const nameGroups = new Set(spreading.nameGroups);
  const { companies } = yield { kind: 'namesakes', nameGroups: [...nameGroups] };
  // Namesakes get other display names at most: who is called like their neighbours is not touched.
  yield* spreading.spread({ licenseKeys: [], companyIds: companies.map(({ id }) => id), ubiKeys: [] });
  const { licenseKeys, companyIds, ubiKeys } = spreading;
  return { licenseKeys, companyIds, ubiKeys, nameGroups };
}

class Spreading {
  readonly licenseKeys = new Set<string>();
  readonly companyIds = new Set<string>();
  readonly ubiKeys = new Set<string>();
  readonly nameGroups = new Set<string>();

  *spread(
    from: Pick<ScopeStart, 'licenseKeys' | 'companyIds' | 'ubiKeys'>,
  ): Generator<ScopeQuestion, void, ScopeAnswer> {
    for (const licenseKey of from.licenseKeys) this.licenseKeys.add(licenseKey);
    let frontier = {
      licenseKeys: from.licenseKeys,
      companyIds: addNew(this.companyIds, from.companyIds),
      ubiKeys: addNew(this.ubiKeys, from.ubiKeys),
    };
    while (frontier.licenseKeys.length + frontier.companyIds.length + frontier.ubiKeys.length > 0) {
      const { licenses, companies, vendorCompanies } = yield { kind: 'neighbours', ...frontier };
      for (const { nameGroup } of companies) this.nameGroups.add(nameGroup);
      for (const { licenseKey, name, licenseNumber } of licenses) {
        this.licenseKeys.add(licenseKey);
        this.addNames(name, licenseNumber);
      }
      frontier = {
        licenseKeys: [],
        companyIds: addNew(this.companyIds, [
          ...licenses.flatMap(({ companyId, ownCompanyId, namedByCompanyId }) => [
            companyId,
            ownCompanyId,
            namedByCompanyId,
          ]),
          ...vendorCompanies.map(({ companyId }) => companyId),
        ]),
        ubiKeys: addNew(this.ubiKeys, [
          ...licenses.map(({ ubiKey }) => ubiKey),
          ...vendorCompanies.map(({ ubiKey }) => ubiKey),
        ]),
      };
    }
  }

  /** What the company of such a license may be called. */
  addNames(name: string | null, licenseNumber: string): void {
    this.nameGroups.add(toNameGroup(name ?? toNamelessName(licenseNumber)));
  }
}

/** Adds what is not there yet, and returns it. */
function addNew(known: Set<string>, values: readonly (string | null)[]): string[] {
  const added: string[] = [];
  for (const value of values) {
    if (value === null || known.has(value)) continue;
    known.add(value);
    added.push(value);
  }
  return added;
}
