import type { Tx } from '../../db/database.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { ServiceError } from '../../domain/service-error.js';
import { findDirectory, selectLicensesOfUbi } from '../directory/index.js';
import type { Tenant } from '../tenants/index.js';
import { requireUbi } from '../ubi/index.js';
import { findCreationProblem } from './problem.js';

/** The licenses that the state lists under the tenant's UBI. Load it once per transaction, for any number of licenses. */
export interface Offer {
  readonly tenant: Tenant;
  readonly listed: ReadonlyMap<string, ListedLicense>;
}

export async function loadOffer(tx: Tx, tenant: Tenant): Promise<Offer> {
  const { ubiKey } = await requireUbi(tx, tenant.id);
  const directory = await findDirectory(tx, tenant.state, tenant.environment);
  const listed = directory === undefined ? [] : await selectLicensesOfUbi(tx, directory.id, ubiKey);
  return { tenant, listed: new Map(listed.map((license) => [license.licenseKey, license])) };
}

/** @throws ServiceError `license_not_available` */
export function requireOffered({ listed }: Offer, licenseKey: string): ListedLicense {
  const license = listed.get(licenseKey);
  const pointer = '/license_number';
  if (license === undefined) {
    throw new ServiceError(
      'license_not_available',
      "The state does not list this license under the tenant's UBI. See GET …/available-licenses.",
      { errors: [{ pointer, detail: "is not listed under the tenant's UBI" }] },
    );
  }
  const problem = findCreationProblem(license);
  if (problem === undefined) return license;
  throw new ServiceError('license_not_available', problem.message.text, {
    reason: problem.reason,
    errors: [{ pointer, detail: 'is listed as deleted' }],
  });
}
