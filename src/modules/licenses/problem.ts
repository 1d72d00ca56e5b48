import type { LicenseProblem } from '../../domain/license-problem.js';
import type { DirectoryEntry } from '../directory/index.js';
import type { LicenseRow } from './repository.js';

/** Why a created license is not what it was created as. */
export interface LicenseProblemView {
  readonly reason: LicenseProblem;
  /** For a person: what happened and what to do. */
  readonly detail: string;
  readonly since: Date | null;
}

const DETAILS: Readonly<Record<LicenseProblem, string>> = {
  archived: 'It was created and archived here. PATCH it with "archived": false to bring it back.',
  missing: 'The state no longer lists it. It is kept as it is, and good again when it returns.',
  deleted: 'The state lists it as deleted. It is kept as it is; archive it if it is not needed any more.',
  other_ubi: "The state lists it under another UBI: it was sold, or the tenant's UBI was changed since it was created.",
};

/** What the state's list has to do with a created license. */
export interface LicenseContext {
  /** False while there is no list of the state yet: then nothing is known. */
  readonly isPublished: boolean;
  /** The UBI of the tenant. */
  readonly ubiKey: string | undefined;
}

/** Undefined: it is listed under the tenant's UBI, as it was when it was created, or nothing is known of it yet. */
export function findLicenseProblem(
  license: Pick<LicenseRow, 'archived_datetime'>,
  listing: DirectoryEntry | undefined,
  { isPublished, ubiKey }: LicenseContext,
): LicenseProblemView | undefined {
  const conflict = (reason: LicenseProblem, since: Date | null = null): LicenseProblemView => ({
    reason,
    detail: DETAILS[reason],
    since,
  });
  if (license.archived_datetime !== null) return conflict('archived', license.archived_datetime);
  if (!isPublished) return undefined;
  if (listing === undefined) return conflict('missing');
  if (listing.missingSince !== null) return conflict('missing', listing.missingSince);
  if (listing.isDeleted) return conflict('deleted');
  return listing.ubiKey === ubiKey ? undefined : conflict('other_ubi');
}
