import type { Snapshot, VendorCompany } from './snapshot.js';

/**
 * The two identity memories of a tenant while a plan is built: the own company of each license, and the vendor company
 * of each UBI. Entries are written once and never change; no company is recorded for two licenses or for two UBIs.
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
    // A company that a user chose for a UBI cannot become the vendor company of another one.
    for (const { ubiKey, companyId } of snapshot.decisions) {
      if (companyId !== null) this.#ubisOfCompanies.set(companyId, ubiKey);
    }
    for (const { ubiKey, companyId } of snapshot.vendorCompanies) this.#recordVendorCompany(ubiKey, companyId);
  }

  findOwnCompany(licenseKey: string): string | undefined {
    return this.#ownCompanies.get(licenseKey);
  }

  findVendorCompany(ubiKey: string): string | undefined {
    return this.#vendorCompanies.get(ubiKey);
  }

  /** The UBI that this company represents. */
  findUbiOf(companyId: string): string | undefined {
    return this.#ubisOfCompanies.get(companyId);
  }

  /** Returns the license's own company, and creates it if there is none. */
  ensureOwnCompany(licenseKey: string): string {
    const known = this.#ownCompanies.get(licenseKey);
    if (known !== undefined) return known;
    const companyId = this.#newId();
    this.#ownCompanies.set(licenseKey, companyId);
    return companyId;
  }

  /** Records the vendor company of a UBI. The company must not represent another UBI. */
  assignVendorCompany(ubiKey: string, companyId: string): void {
    this.#recordVendorCompany(ubiKey, companyId);
    this.newVendorCompanies.push({ ubiKey, companyId });
  }

  /** Creates the vendor company of a UBI. It becomes the license's own company too if the license has none. */
  createVendorCompany(ubiKey: string, licenseKey: string): string {
    const companyId = this.#ownCompanies.has(licenseKey) ? this.#newId() : this.ensureOwnCompany(licenseKey);
    this.assignVendorCompany(ubiKey, companyId);
    return companyId;
  }

  #recordVendorCompany(ubiKey: string, companyId: string): void {
    this.#vendorCompanies.set(ubiKey, companyId);
    this.#ubisOfCompanies.set(companyId, ubiKey);
  }
}
