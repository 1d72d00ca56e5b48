import { ServiceError } from './service-error.js';

/** The version of a resource that a change expects (RFC 9110, If-Match and If-None-Match). */
export type Precondition =
  | { readonly kind: 'none' }
  /** `If-None-Match: *`: the resource must not exist. */
  | { readonly kind: 'absent' }
  /** `If-Match: "3"`: the resource must have one of these versions. */
  | { readonly kind: 'versions'; readonly versions: readonly number[] };

/**
 * @param version the current version; undefined if the resource does not exist
 * @throws ServiceError `precondition_required` without a precondition, `precondition_failed` if it does not hold
 */
export function checkPrecondition(precondition: Precondition, version: number | undefined): void {
  if (precondition.kind === 'none') {
    const detail =
      version === undefined
        ? 'Send "If-None-Match: *" to create the resource.'
        : 'Send the ETag of your last read in If-Match.';
    throw new ServiceError('precondition_required', detail);
  }
  if (precondition.kind === 'absent') {
    if (version === undefined) return;
    throw new ServiceError(
      'precondition_failed',
      'The resource already exists. Read it, then send its ETag in If-Match.',
    );
  }
  if (version !== undefined && precondition.versions.includes(version)) return;
  throw new ServiceError(
    'precondition_failed',
    'Its version differs from If-Match. Read the resource again, then send its current ETag in If-Match.',
  );
}
