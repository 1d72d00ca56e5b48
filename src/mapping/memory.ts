import type { Snapshot, VendorCompany } from './snapshot.js';

/**
 * The two memories of a tenant, as they are while a plan grows: a license's own company, and a UBI's vendor company.
 * An entry is written once and never rewritten; neither gives one company to two licenses, or to two UBIs.
 */
export class Memory {
  readonly newVendorCompanies: VendorCompany[] = [];
  readonly #ownCompanies = new Map<string, string>();
  readonly #vendorCompanies = new Map<string, string>();
  readonly #ubisOfCompanies = new Map<string, string>();
  readonly #newId: () => string;

  constructor(snapshot: Snapshot, newId: () => string) {
    this.#newId = newId;
    for (const { licenseKey, ownCompanyId } of snapshot.licenses) {
      if (ownCompanyId !== null) this.#ownCompanies.set(licenseKey, ownCompanyId);
    }
    // A company that a person decided on stands for that UBI, whatever is remembered: it is not free for another one.
    for (const { ubiKey, companyId } of snapshot.decisions) {
      if (companyId !== null) this.#ubisOfCompanies.set(companyId, ubiKey);
    }
    for (const { ubiKey, companyId } of snapshot.vendorCompanies) this.#rememberVendor(ubiKey, companyId);
  }

  findOwnCompany(licenseKey: string): string | undefined {
    return this.#ownCompanies.get(licenseKey);
  }

  findVendorCompany(ubiKey: string): string | undefined {
    return this.#vendorCompanies.get(ubiKey);
  }

  /** The UBI that this company stands for. */
  findUbiOf(companyId: string): string | undefined {
    return this.#ubisOfCompanies.get(companyId);
  }

  /** The license's own company; a new one when it is needed for the first time. */
  needOwnCompany(licenseKey: string): string {
    const known = this.#ownCompanies.get(licenseKey);
    if (known !== undefined) return known;
    const companyId = this.#newId();
    this.#ownCompanies.set(licenseKey, companyId);
    return companyId;
  }

  /** From now on this company, which stands for no other UBI, stands for this one. */
  becomeVendorCompany(ubiKey: string, companyId: string): void {
    this.#rememberVendor(ubiKey, companyId);
    this.newVendorCompanies.push({ ubiKey, companyId });
  }

  /** A company that nobody has had yet, for this UBI; the license's own as well if it has none. */
  newVendorCompany(ubiKey: string, licenseKey: string): string {
    const companyId = this.#ownCompanies.has(licenseKey) ? this.#newId() : this.needOwnCompany(licenseKey);
    this.becomeVendorCompany(ubiKey, companyId);
    return companyId;
  }

  #rememberVendor(ubiKey: string, companyId: string): void {
    this.#vendorCompanies.set(ubiKey, companyId);
    this.#ubisOfCompanies.set(companyId, ubiKey);
  }
}
