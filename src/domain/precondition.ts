import { ServiceError } from './service-error.js';

/** What a caller believes of the resource that he is about to change (RFC 9110, If-Match and If-None-Match). */
export type Precondition =
  | { readonly kind: 'none' }
  /** `If-None-Match: *`: there is none yet. */
  | { readonly kind: 'absent' }
  /** `If-Match: "3"`: it is at one of these versions. */
  | { readonly kind: 'versions'; readonly versions: readonly number[] };

/**
 * Refuses a change that is based on something older than what is there: 428 without a precondition, 412 if it fails.
 * @param version what is there now; undefined for nothing
 */
export function checkPrecondition(precondition: Precondition, version: number | undefined): void {
  if (precondition.kind === 'none') {
    const header = version === undefined ? 'If-None-Match: *' : 'If-Match with the ETag of your last read';
    throw new ServiceError('precondition_required', `Send ${header}.`);
  }
  if (precondition.kind === 'absent') {
    if (version === undefined) return;
    throw new ServiceError('precondition_failed', 'It exists already. Read it, and send its ETag as If-Match.');
  }
  if (version !== undefined && precondition.versions.includes(version)) return;
  throw new ServiceError(
    'precondition_failed',
    'It has changed since you read it. Read it again, and send its ETag as If-Match.',
  );
}
