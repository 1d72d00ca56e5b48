import { type BiotrackError, isLoginHeld, type LoginVerdict } from '../../biotrack/index.js';
import { createMessage, type Message } from '../../domain/message.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Credential } from './repository.js';

/** How BioTrack answered a login, or why it did not. `refusedAt`: BioTrack refused it then, so it was not sent again. */
export type LoginResult =
  | Exclude<LoginVerdict, { kind: 'rejected' | 'refused' }>
  | { readonly kind: 'rejected'; readonly refusedAt?: Date }
  | RefusedLogin
  | { readonly kind: 'unavailable'; readonly error: BiotrackError };

/** BioTrack's verdict that the login cannot be used. */
export type RefusalResult = Exclude<LoginResult, { readonly kind: 'valid' | 'unavailable' }>;

/** Refused with an unknown text, or without any although BioTrack knows the UBI. */
export interface RefusedLogin {
  readonly kind: 'refused';
  /** The BioTrack server and a label of the text. */
  readonly refusedText: string;
  /** BioTrack's own text without what was sent, for operators. Null if there is none. */
  readonly upstreamText: string | null;
  readonly refusedAt?: Date;
}

const toPrivilege = (privilege: string | undefined): string =>
  privilege === undefined || privilege === '' ? 'a required privilege' : `the privilege ${privilege}`;

/** What the result means for a saved credential and what to do. */
export function toLoginResultMessage(result: {
  readonly kind: LoginResult['kind'];
  readonly privilege?: string | undefined;
  readonly missingPrivilege?: string | undefined;
}): Message {
  switch (result.kind) {
    case 'valid': {
      const missing_privilege = result.missingPrivilege;
      if (missing_privilege === undefined) return createMessage('credential_valid', {}, 'BioTrack accepted the login.');
      return createMessage(
        'credential_lacks_laboratories',
        { missing_privilege },
        `BioTrack accepted the login, but the BioTrack user lacks ${toPrivilege(missing_privilege)}. Vendors are synced; laboratories are not until the administrator of the company's BioTrack account grants it.`,
      );
    }
    case 'rejected':
      return createMessage(
        'credential_rejected',
        {},
        'BioTrack rejected the username or password. Update this credential with the correct values. If you fixed the login in BioTrack, a user can verify it again with "force": true. It is not used until then.',
      );
    case 'refused':
      return createMessage(
        'credential_refused',
        {},
        'BioTrack refused this login, for example because the account is locked or inactive, the password has expired or the license number is wrong. Ask the administrator of the BioTrack account. Then update this credential, or a user can verify it again with "force": true. It is not used until then.',
      );
    case 'ubi_rejected':
      return createMessage(
        'credential_ubi_rejected',
        {},
        "BioTrack does not recognize the tenant's UBI. Check the tenant's state, then set the UBI that this state issued to the company.",
      );
    case 'privilege_missing': {
      const missing_privilege = result.privilege;
      return createMessage(
        'credential_privilege_missing',
        { missing_privilege },
        `The BioTrack user lacks ${toPrivilege(missing_privilege)}. Ask the administrator of the company's BioTrack account to grant it, then verify this credential.`,
      );
    }
    case 'unavailable':
      return createMessage(
        'login_unavailable',
        {},
        'BioTrack neither accepted nor rejected the login, so the status is unchanged. Try again later.',
      );
  }
}

/** Null if the credential needs no action. */
export function toStatusMessage({
  status,
  missingPrivilege,
}: Pick<Credential, 'status' | 'missingPrivilege'>): Message | null {
  if (status === 'valid') return null;
  if (status !== 'unverified') return toLoginResultMessage({ kind: status, privilege: missingPrivilege ?? undefined });
  return createMessage(
    'credential_unverified',
    {},
    'Not verified yet. Verify it now; otherwise its first use verifies it.',
  );
}

/** Why the password of a credential cannot be decrypted. */
export const toUnreadableMessage = ({ code, message }: ServiceError): Message =>
  createMessage(code === 'unknown_state' ? 'credential_state_unknown' : 'credential_not_decryptable', {}, message);

/** Whether the login was not sent, because BioTrack refused it earlier. */
export const isRemembered = (result: LoginResult): boolean => 'refusedAt' in result;

const REJECTED_BEFORE =
  'Nothing was saved. BioTrack rejected this username and password within the last 24 hours, so they were not tried again. If they are correct now, save them with "verify": "skip"; a user can then verify the credential with "force": true.';

/** The error for a new or changed credential that is not saved because of this result. */
export function toLoginError(result: Exclude<LoginResult, { kind: 'valid' }>): ServiceError {
  switch (result.kind) {
    case 'rejected':
      return new ServiceError(
        'credentials_rejected',
        isRemembered(result)
          ? REJECTED_BEFORE
          : 'Nothing was saved. Check the username and password, then send them again.',
        {
          ...(isRemembered(result) ? { reason: 'rejected_before' } : {}),
          errors: [{ pointer: '/password', detail: 'was rejected by BioTrack, or the username was' }],
        },
      );
    case 'refused':
      return new ServiceError(
        'login_refused',
        isRemembered(result)
          ? REJECTED_BEFORE
          : 'Nothing was saved. BioTrack refused this login, for example because the account is locked or inactive, the password has expired or the license number is wrong. Ask the administrator of the BioTrack account.',
        isRemembered(result) ? { reason: 'rejected_before' } : {},
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
      return isLoginHeld(result.error) ? toHeldError(result.error) : toUpstreamError(result.error);
  }
}

const toRetryAfterSeconds = ({ retryAfterMs = 30_000 }: BiotrackError): number => Math.ceil(retryAfterMs / 1000);

const toHeldError = (error: BiotrackError): ServiceError =>
  new ServiceError('logins_held', error.advice, { retryAfterSeconds: toRetryAfterSeconds(error), cause: error });

/** 503 with the reason that BioTrack could not be used. */
export const toUpstreamError = (error: BiotrackError): ServiceError =>
  new ServiceError('upstream_unavailable', error.advice, {
    reason: error.reason,
    retryAfterSeconds: toRetryAfterSeconds(error),
    cause: error,
  });
