import type { BiotrackError, LoginVerdict } from '../../biotrack/index.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Credential } from './repository.js';

/** How BioTrack answered a login, or why it did not. */
export type LoginResult =
  /** `isRemembered`: refused earlier, not tried again. */
  (LoginVerdict & { readonly isRemembered?: true }) | { readonly kind: 'unavailable'; readonly error: BiotrackError };

const toPrivilege = (privilege: string | undefined): string =>
  privilege === undefined || privilege === '' ? 'a required privilege' : `the privilege ${privilege}`;

/** What the result means for a saved credential and what to do, as text for users. */
export function toLoginResultDetail(result: {
  readonly kind: LoginResult['kind'];
  readonly privilege?: string;
}): string {
  switch (result.kind) {
    case 'valid':
      return 'BioTrack accepted the login.';
    case 'rejected':
      return 'BioTrack rejected the username or password. Update this credential with the correct values, or verify it again if you fixed the login in BioTrack. It is not used until then.';
    case 'ubi_rejected':
      return "BioTrack does not recognize the tenant's UBI. Check the tenant's state, then set the UBI that this state issued to the company.";
    case 'privilege_missing':
      return `The BioTrack user lacks ${toPrivilege(result.privilege)}. Ask the administrator of the company's BioTrack account to grant it, then verify this credential.`;
    case 'unavailable':
      return 'BioTrack neither accepted nor rejected the login, so the status is unchanged. Try again later.';
  }
}

/** Null if the credential needs no action. */
export function toStatusDetail({
  status,
  missingPrivilege,
}: Pick<Credential, 'status' | 'missingPrivilege'>): string | null {
  if (status === 'valid') return null;
  if (status === 'unverified') return 'Not verified yet. Verify it now; otherwise its first use verifies it.';
  return toLoginResultDetail({ kind: status, ...(missingPrivilege === null ? {} : { privilege: missingPrivilege }) });
}

/** The error for a new or changed credential that is not saved because of this result. */
export function toLoginError(result: Exclude<LoginResult, { kind: 'valid' }>): ServiceError {
  switch (result.kind) {
    case 'rejected':
      return new ServiceError(
        'credentials_rejected',
        result.isRemembered
          ? 'Nothing was saved. BioTrack rejected this username and password within the last 24 hours, so they were not tried again. If they are correct now, save them with "verify": "skip", then verify the credential.'
          : 'Nothing was saved. Check the username and password, then send them again.',
        {
          ...(result.isRemembered ? { reason: 'rejected_before' } : {}),
          errors: [{ pointer: '/password', detail: 'was rejected by BioTrack, or the username was' }],
        },
      );
    case 'ubi_rejected':
      return new ServiceError(
        'ubi_rejected',
        "Nothing was saved. Check the tenant's state, set the UBI that this state issued to the company, then send the request again.",
      );
    case 'privilege_missing':
      return new ServiceError(
        'privilege_missing',
        `Nothing was saved. Ask the administrator of the company's BioTrack account to grant ${toPrivilege(result.privilege)}, then send the request again.`,
        { reason: result.privilege },
      );
    case 'unavailable':
      return toUpstreamError(result.error);
  }
}

/** 503 with the reason that BioTrack could not be used. */
export function toUpstreamError(error: BiotrackError): ServiceError {
  return new ServiceError('upstream_unavailable', error.advice, {
    reason: error.reason,
    retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 30_000) / 1000),
    cause: error,
  });
}
