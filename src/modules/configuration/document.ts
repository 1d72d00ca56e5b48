import { createHash } from 'node:crypto';
import type { Tx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';
import { type License, type LicenseSettings, SETTING_NAMES } from '../../domain/license.js';
import type { Strategy } from '../../domain/strategy.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type Credential, selectCredentialsOf } from '../credentials/index.js';
import { loadLicenseViews } from '../licenses/index.js';
import type { Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';

/** The setup of a tenant without its secrets. */
export interface Configuration {
  readonly tenant: { readonly name: string; readonly state: string; readonly environment: Environment };
  readonly ubi: string | null;
  readonly companyCreationPreference: { readonly strategy: Strategy; readonly includeLabs: boolean } | null;
  readonly credentials: readonly CredentialEntry[];
  readonly licenses: readonly LicenseEntry[];
}

/** A company credential without its password. */
export interface CredentialEntry {
  readonly description: string;
  readonly username: string;
  readonly licenseNumber: string | null;
}

export const CREDENTIAL_ENTRY_FIELDS = ['description', 'username', 'licenseNumber'] as const;

/** A created license that is not archived. */
export interface LicenseEntry extends Omit<LicenseSettings, 'credentialId'> {
  readonly licenseNumber: string;
  /** The username of a company credential. */
  readonly credential: string | null;
}

export const ENTRY_FIELDS = SETTING_NAMES.map((name) => (name === 'credentialId' ? 'credential' : name));
export const LICENSE_ENTRY_FIELDS = ['licenseNumber', ...ENTRY_FIELDS] as const;

export async function loadConfiguration(tx: Tx, tenant: Tenant): Promise<Configuration> {
  const { name, state, environment } = tenant;
  const preference = await findCreationPreference(tx);
  const credentials = await selectCredentialsOf(tx, 'company');
  const views = await loadLicenseViews(tx, tenant);
  return {
    tenant: { name, state, environment },
    ubi: (await findUbi(tx))?.ubi ?? null,
    companyCreationPreference:
      preference === undefined ? null : { strategy: preference.strategy, includeLabs: preference.includeLabs },
    credentials: credentials.map(toCredentialEntry).sort((a, b) => (a.username < b.username ? -1 : 1)),
    licenses: views.flatMap(({ license }) =>
      license.archivedDatetime === null ? [toLicenseEntry(license, credentials)] : [],
    ),
  };
}

export const toCredentialEntry = ({ description, username, licenseNumber }: Credential): CredentialEntry => ({
  description,
  username,
  licenseNumber,
});

export function toLicenseEntry(license: License, credentials: readonly Credential[]): LicenseEntry {
  const credential = credentials.find(({ id }) => id === license.credentialId)?.username ?? null;
  const values = { ...license, credential };
  return Object.fromEntries(LICENSE_ENTRY_FIELDS.map((name) => [name, values[name]])) as unknown as LicenseEntry;
}

/** A digest of the document as a version number: its parts have no common counter. It fits the 33 bits of our ETags. */
export function toVersion(configuration: Configuration): number {
  const digest = createHash('sha256').update(JSON.stringify(configuration)).digest();
  return 1 + Number(digest.readBigUInt64BE() >> 31n);
}
