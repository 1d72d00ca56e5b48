import { createHash } from 'node:crypto';
import type { Tx } from '../../db/database.js';
import type { Environment } from '../../domain/environment.js';
import type { Strategy } from '../../domain/strategy.js';
import { findCreationPreference } from '../creation-preference/index.js';
import { type Credential, selectCredentialsOf } from '../credentials/index.js';
import { type LicenseRow, loadLicenseViews } from '../licenses/index.js';
import type { Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';

/** The set-up of a tenant without its secrets, named as in JSON: it is a document that goes out and comes back. */
export interface Configuration {
  readonly tenant: { readonly name: string; readonly state: string; readonly environment: Environment };
  readonly ubi: string | null;
  readonly company_creation_preference: { readonly strategy: Strategy; readonly include_labs: boolean } | null;
  readonly credentials: readonly CredentialEntry[];
  readonly licenses: readonly LicenseEntry[];
}

/** A login of the company, without its password. */
export interface CredentialEntry {
  readonly description: string;
  readonly username: string;
}

/** A created license that is not archived. */
export interface LicenseEntry {
  readonly license_number: string;
  readonly name: string | null;
  readonly license_type: string | null;
  readonly issue_datetime: string | null;
  readonly expiry_datetime: string | null;
  readonly active: boolean;
  /** The user name of the company's login that it works with. */
  readonly credential: string | null;
  readonly default_intake_location_id: string | null;
  readonly sync_enabled: boolean;
  readonly create_companies: boolean;
  readonly sync_rooms: boolean;
  readonly notify_on_change: boolean;
  readonly share_with_leaflink: boolean;
}

export async function loadConfiguration(tx: Tx, tenant: Tenant): Promise<Configuration> {
  const { name, state, environment } = tenant;
  const preference = await findCreationPreference(tx);
  const credentials = await selectCredentialsOf(tx, 'company');
  const views = await loadLicenseViews(tx, tenant);
  return {
    tenant: { name, state, environment },
    ubi: (await findUbi(tx))?.ubi ?? null,
    company_creation_preference:
      preference === undefined ? null : { strategy: preference.strategy, include_labs: preference.includeLabs },
    credentials: credentials
      .map(({ description, username }) => ({ description, username }))
      .sort((a, b) => (a.username < b.username ? -1 : 1)),
    licenses: views.flatMap(({ license }) =>
      license.archived_datetime === null ? [toLicenseEntry(license, credentials)] : [],
    ),
  };
}

export function toLicenseEntry(license: LicenseRow, credentials: readonly Credential[]): LicenseEntry {
  const credential = credentials.find(({ id }) => id === license.credential_id);
  return {
    license_number: license.license_number,
    name: license.name,
    license_type: license.license_type,
    issue_datetime: license.issue_datetime?.toISOString() ?? null,
    expiry_datetime: license.expiry_datetime?.toISOString() ?? null,
    active: license.active,
    credential: credential?.username ?? null,
    default_intake_location_id: license.default_intake_location_id,
    sync_enabled: license.sync_enabled,
    create_companies: license.create_companies,
    sync_rooms: license.sync_rooms,
    notify_on_change: license.notify_on_change,
    share_with_leaflink: license.share_with_leaflink,
  };
}

/**
 * A number for what the document says, equal for equal documents: nobody counts the versions of something that is put
 * together from so many parts. Of 33 bits, which is as many as an ETag of ours holds.
 */
export function toVersion(configuration: Configuration): number {
  const digest = createHash('sha256').update(JSON.stringify(configuration)).digest();
  return 1 + Number(digest.readBigUInt64BE() >> 31n);
}
