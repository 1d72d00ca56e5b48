import type { Tx } from '../../db/database.js';
import type { License } from '../../domain/license.js';
import { toUnlistedLicense } from '../../domain/license-fields.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { findDirectory, selectLicensesOfUbi, selectListings } from '../directory/index.js';
import type { Tenant } from '../tenants/index.js';
import {
  findCreationProblem,
  findLicenseProblem,
  findListProblem,
  type LicenseProblemView,
  type ListProblemView,
} from './problem.js';
import { selectAllLicenses } from './repository.js';

/** A license that the state lists under the tenant's UBI, or that the tenant created. */
export interface OwnLicense {
  readonly listed: ListedLicense;
  /** Whether the state lists it now, and not as deleted. */
  readonly isActive: boolean;
  /** Whether it is active, and listed under the tenant's UBI. */
  readonly isOffered: boolean;
  readonly missingSince: Date | null;
  /** The id of the created license. Undefined if it was not created. */
  readonly licenseId: string | undefined;
  readonly problem: LicenseProblemView | undefined;
}

/** The part of the state's mirrored list that concerns one tenant. */
export interface OwnList {
  /** Since the state last sent or confirmed its list, by the Postgres clock; null if it was never read. */
  readonly ageSeconds: number | null;
  /** Why the state lists no license that can be created; undefined if it lists one, or its list was never read. */
  readonly problem: ListProblemView | undefined;
  /** In the order of their license keys. */
  readonly licenses: readonly OwnLicense[];
}

/** BioTrack has no call that returns the licenses of a login, so they are selected by the tenant's UBI. */
export async function loadOwnList(tx: Tx, { state, environment }: Tenant, ubiKey: string): Promise<OwnList> {
  const created = await selectAllLicenses(tx);
  const directory = await findDirectory(tx, state, environment);
  const isPublished = directory !== undefined && directory.version > 0;
  const own = isPublished ? await selectLicensesOfUbi(tx, directory.id, ubiKey) : [];
  const keys = new Set([...own, ...created].map(({ licenseKey }) => licenseKey));
  const listings = isPublished ? await selectListings(tx, directory.id, [...keys]) : [];
  const createdByKey = new Map(created.map((license) => [license.licenseKey, license]));
  const listedKeys = new Set(listings.map(({ licenseKey }) => licenseKey));
  const context = { isPublished, ubiKey };
  const licenses = [
    ...listings.map((listing): OwnLicense => {
      const license = createdByKey.get(listing.licenseKey);
      const isActive = !listing.isDeleted && listing.missingSince === null;
      return {
        listed: listing,
        isActive,
        isOffered: isActive && listing.ubiKey === ubiKey,
        missingSince: listing.missingSince,
        licenseId: license?.id,
        problem: license === undefined ? findCreationProblem(listing) : findLicenseProblem(license, listing, context),
      };
    }),
    ...created
      .filter(({ licenseKey }) => !listedKeys.has(licenseKey))
      .map(
        (license): OwnLicense => ({
          listed: toUnlisted(license),
          isActive: false,
          isOffered: false,
          missingSince: null,
          licenseId: license.id,
          problem: findLicenseProblem(license, undefined, context),
        }),
      ),
  ];
  return {
    ageSeconds: directory?.ageSeconds ?? null,
    problem: isPublished ? findListProblem(own) : undefined,
    licenses: licenses.sort((a, b) => (a.listed.licenseKey < b.listed.licenseKey ? -1 : 1)),
  };
}

/** For a license that this directory never listed, such as one of the state's other environment. */
const toUnlisted = ({ licenseKey, licenseNumber, name, licenseType }: License): ListedLicense => ({
  ...toUnlistedLicense(licenseKey, licenseNumber),
  name,
  licenseType,
});
