import type { ListedLicense } from '../domain/listed-license.js';
import type { LicenseState } from './snapshot.js';

/**
 * Rebuilds the state's list from the licenses that a tenant knows. A plan made from it, with labs included, applies
 * users' decisions but none of the state's changes since the last sync.
 */
export const toKnownList = (licenses: readonly LicenseState[]): ListedLicense[] =>
  licenses.flatMap((license) => (isListed(license) ? toListed(license) : []));

/** A license that was only added manually has no content yet. */
const isListed = ({ missingSinceDatetime, contentHash }: LicenseState): boolean =>
  missingSinceDatetime === null && contentHash !== '';

const toListed = (license: LicenseState): ListedLicense => ({
  licenseKey: license.licenseKey,
  licenseNumber: license.licenseNumber,
  ubi: license.ubi,
  ubiKey: license.ubiKey,
  lastUbi: null,
  name: license.name,
  licenseType: license.licenseType,
  licenseTypeRaw: license.licenseTypeRaw,
  activities: license.activities,
  address: license.address,
  isDeleted: !license.active,
  isLab: license.isLab,
  transactionIdOriginal: license.transactionIdOriginal,
  contentHash: license.contentHash,
});
