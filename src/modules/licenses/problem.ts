import type { License } from '../../domain/license.js';
import type { LicenseProblem, ListProblem } from '../../domain/license-problem.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import { createMessage, type Message } from '../../domain/message.js';
import type { DirectoryEntry } from '../directory/index.js';

/** Why a created license no longer matches the state's list, or why a listed one cannot be created. */
export interface LicenseProblemView {
  readonly reason: LicenseProblem;
  readonly message: Message;
  readonly since: Date | null;
}

const MESSAGES_BY_REASON: Readonly<Record<LicenseProblem, Message>> = {
  archived: createMessage(
    'license_archived',
    {},
    'The license was archived here. To restore it, PATCH it with "archived": false.',
  ),
  missing: createMessage(
    'license_missing',
    {},
    'The state no longer lists the license. It stays unchanged here, and the problem ends once it is listed again.',
  ),
  deleted: createMessage(
    'license_deleted',
    {},
    'The state lists the license as deleted. It stays unchanged here; archive it if it is no longer needed.',
  ),
  other_ubi: createMessage(
    'license_of_other_ubi',
    {},
    "The state lists the license under another UBI: it was sold, or the tenant's UBI was changed.",
  ),
};

/** What a license is compared with. */
export interface LicenseContext {
  /** False until the state's list was read for the first time: nothing is known about the license until then. */
  readonly isPublished: boolean;
  /** The UBI of the tenant. */
  readonly ubiKey: string | undefined;
}

/** Undefined if the license is listed under the tenant's UBI, or nothing is known yet. */
export function findLicenseProblem(
  license: Pick<License, 'archivedDatetime'>,
  listing: DirectoryEntry | undefined,
  { isPublished, ubiKey }: LicenseContext,
): LicenseProblemView | undefined {
  const toView = (reason: LicenseProblem, since: Date | null = null): LicenseProblemView => ({
    reason,
    message: MESSAGES_BY_REASON[reason],
    since,
  });
  if (license.archivedDatetime !== null) return toView('archived', license.archivedDatetime);
  if (!isPublished) return undefined;
  if (listing === undefined) return toView('missing');
  if (listing.missingSince !== null) return toView('missing', listing.missingSince);
  if (listing.isDeleted) return toView('deleted');
  return listing.ubiKey === ubiKey ? undefined : toView('other_ubi');
}

const NOT_CREATABLE = createMessage(
  'license_not_creatable',
  {},
  'The state lists the license as deleted, so it cannot be created. If this is wrong, ask the state to correct its list.',
);

/** Why a license that the state lists under the tenant's UBI cannot be created. Undefined if it can. */
export const findCreationProblem = ({ isDeleted }: ListedLicense): LicenseProblemView | undefined =>
  isDeleted ? { reason: 'deleted', message: NOT_CREATABLE, since: null } : undefined;

export interface ListProblemView {
  readonly reason: ListProblem;
  /** The possible causes and what to do. */
  readonly message: Message;
}

const CAUSES =
  'Either the UBI, the state or the environment of the tenant is wrong, or the state has not listed the licenses of the company under this UBI yet. Correct the UBI if it is wrong. Otherwise ask the state to correct its list, then call GET …/available-licenses again.';

const LIST_MESSAGES: Readonly<Record<ListProblem, Message>> = {
  none_listed: createMessage('none_listed', {}, `The state lists no license under this UBI. ${CAUSES}`),
  all_deleted: createMessage('all_deleted', {}, `The state lists all licenses under this UBI as deleted. ${CAUSES}`),
};

/** @param own the licenses that the state lists under the tenant's UBI */
export function findListProblem(own: readonly ListedLicense[]): ListProblemView | undefined {
  if (own.some(({ isDeleted }) => !isDeleted)) return undefined;
  const reason = own.length === 0 ? 'none_listed' : 'all_deleted';
  return { reason, message: LIST_MESSAGES[reason] };
}
