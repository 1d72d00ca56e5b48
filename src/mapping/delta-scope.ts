import { toNameGroup } from './display-names.js';
import { toNamelessName } from './next-companies.js';
import type { VendorCompany } from './snapshot.js';

/** Where a change starts: licenses that are listed differently, or companies and UBIs that a user decided about. */
export interface ScopeStart {
  readonly licenseKeys: readonly string[];
  readonly companyIds: readonly string[];
  readonly ubiKeys: readonly string[];
  /** The licenses as they are listed now, because their names can become company names. */
  readonly listed: readonly Pick<ScopeLicense, 'name' | 'licenseNumber'>[];
}

/**
 * The next lookup that `findScope` needs: licenses with these keys, of these companies (held, own, or added manually), or of
 * these UBIs; and these companies.
 */
export interface ScopeQuery {
  readonly licenseKeys: readonly string[];
  readonly companyIds: readonly string[];
  readonly ubiKeys: readonly string[];
}

export interface ScopeLicense {
  readonly licenseKey: string;
  readonly licenseNumber: string;
  readonly name: string | null;
  readonly ubiKey: string | null;
  readonly companyId: string;
  readonly ownCompanyId: string | null;
  readonly namedByCompanyId: string | null;
}

export interface ScopeRows {
  readonly licenses: readonly ScopeLicense[];
  readonly companies: readonly { readonly id: string; readonly nameGroup: string }[];
  /** Vendor companies, recorded or decided, of the requested UBIs and companies. */
  readonly vendorCompanies: readonly VendorCompany[];
}

/** The part of a tenant that a change can affect. */
export interface Scope {
  readonly licenseKeys: ReadonlySet<string>;
  readonly companyIds: ReadonlySet<string>;
  readonly ubiKeys: ReadonlySet<string>;
  /** Of the other companies, only the display names of those in these groups can change. */
  readonly nameGroups: ReadonlySet<string>;
}

/**
 * Finds everything that a change can affect: from licenses to their companies and UBIs, from those to all their
 * licenses, until nothing new is found; and the names that one of them has before or can get by the change. It yields the lookups it needs instead of running them, so that it stays pure.
 */
export function* findScope(start: ScopeStart): Generator<ScopeQuery, Scope, ScopeRows> {
  const expansion = new ScopeExpansion();
  yield* expansion.expand(start);
  for (const { name, licenseNumber } of start.listed) expansion.addNames(name, licenseNumber);
  return expansion;
}

class ScopeExpansion implements Scope {
  readonly licenseKeys = new Set<string>();
  readonly companyIds = new Set<string>();
  readonly ubiKeys = new Set<string>();
  readonly nameGroups = new Set<string>();

  *expand(from: Pick<ScopeStart, 'licenseKeys' | 'companyIds' | 'ubiKeys'>): Generator<ScopeQuery, void, ScopeRows> {
    for (const licenseKey of from.licenseKeys) this.licenseKeys.add(licenseKey);
    let frontier = {
      licenseKeys: from.licenseKeys,
      companyIds: addNew(this.companyIds, from.companyIds),
      ubiKeys: addNew(this.ubiKeys, from.ubiKeys),
    };
    while (frontier.licenseKeys.length + frontier.companyIds.length + frontier.ubiKeys.length > 0) {
      const { licenses, companies, vendorCompanies } = yield frontier;
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

  /** Adds the name group that a company of this license can get. */
  addNames(name: string | null, licenseNumber: string): void {
    this.nameGroups.add(toNameGroup(name ?? toNamelessName(licenseNumber)));
  }
}

/** Adds the values to `known`, and returns those that were new. */
function addNew(known: Set<string>, values: readonly (string | null)[]): string[] {
  const added: string[] = [];
  for (const value of values) {
    if (value === null || known.has(value)) continue;
    known.add(value);
    added.push(value);
  }
  return added;
}
