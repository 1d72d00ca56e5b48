import type { ListedLicense } from '../domain/listed-license.js';
import type { LicenseState } from './snapshot.js';

/**
 * The list that says of each license what is known of it already. A plan that is made from it, with labs, does what
 * persons decided and nothing that the state said since.
 */
export const listKnown = (licenses: readonly LicenseState[]): ListedLicense[] =>
  licenses.flatMap((license) => (isListed(license) ? toListed(license) : []));

/** A license that was only named by hand has no content yet. */
const isListed = ({ missingSinceDatetime, contentHash }: LicenseState): boolean =>
  missingSinceDatetime === null && contentHash !== '';

const toListed = (license: LicenseState): ListedLicense => ({
  licenseKey: license.licenseKey,
  licenseNumber: license.licenseNumber,
  ubi: license.ubi,
  ubiKey: license.ubiKey,
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
