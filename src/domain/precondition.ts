import { ServiceError } from './service-error.js';

/** `*`: any version. */
export type ExpectedVersions = '*' | readonly number[];

/** What a change expects of its resource: the headers If-Match and If-None-Match (RFC 9110, 13.1). */
export interface Precondition {
  /** The resource must have one of these versions. */
  readonly ifMatch: ExpectedVersions | undefined;
  /** The resource must have none of these versions; with `*`, it must not exist. */
  readonly ifNoneMatch: ExpectedVersions | undefined;
}

/**
 * Checks both in the order of RFC 9110 (13.2.2). A new resource needs either of them, an existing one If-Match.
 * @param version the current version; undefined if the resource does not exist
 * @throws ServiceError `precondition_required` or `precondition_failed`
 */
export function checkPrecondition({ ifMatch, ifNoneMatch }: Precondition, version: number | undefined): void {
  if (ifMatch !== undefined && !includesVersion(ifMatch, version)) {
    throw new ServiceError(
      'precondition_failed',
      version === undefined
        ? 'The resource does not exist. Send "If-None-Match: *" to create it.'
        : 'Its version differs from If-Match. Read the resource again, then send its current ETag in If-Match.',
    );
  }
  if (ifNoneMatch !== undefined && includesVersion(ifNoneMatch, version)) {
    throw new ServiceError(
      'precondition_failed',
      'The resource already exists. Read it, then send its ETag in If-Match.',
    );
  }
  if (version === undefined && ifNoneMatch === undefined)
    throw new ServiceError('precondition_required', 'Send "If-None-Match: *" to create the resource.');
  if (version !== undefined && ifMatch === undefined)
    throw new ServiceError('precondition_required', 'Send the ETag of your last read in If-Match.');
}

const includesVersion = (versions: ExpectedVersions, version: number | undefined): boolean =>
  version !== undefined && (versions === '*' || versions.includes(version));
