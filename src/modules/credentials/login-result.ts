import { ADVICE, type BiotrackError, type LoginVerdict } from '../../biotrack/index.js';
import { ServiceError } from '../../domain/service-error.js';
import type { Credential } from './repository.js';

/** What BioTrack said of a login, or why it said nothing. */
export type LoginResult =
  /** `isRemembered`: it was refused a while ago, and not tried again. */
  (LoginVerdict & { readonly isRemembered?: true }) | { readonly kind: 'unreachable'; readonly error: BiotrackError };

/** What a verdict means and what to do; for a person. */
export function toLoginResultDetail(verdict: {
  readonly kind: LoginResult['kind'];
  readonly privilege?: string;
}): string {
  switch (verdict.kind) {
    case 'valid':
      return 'The login works.';
    case 'rejected':
      return ADVICE.credentials_rejected;
    case 'ubi_rejected':
      return ADVICE.ubi_rejected;
    case 'privilege_missing':
      return `${ADVICE.privilege_missing} Missing: ${verdict.privilege ?? ''}.`;
    case 'unreachable':
      return 'BioTrack cannot be asked at the moment. This says nothing of the password; try again later.';
  }
}

/** What a stored status means; null where there is nothing to do. */
export function toStatusDetail({
  status,
  missingPrivilege,
}: Pick<Credential, 'status' | 'missingPrivilege'>): string | null {
  if (status === 'valid') return null;
  if (status === 'unverified') return 'No login was tried with it yet.';
  return toLoginResultDetail({ kind: status, ...(missingPrivilege === null ? {} : { privilege: missingPrivilege }) });
}

const REMEMBERED =
  'This very login was refused within the last day and was not tried again. If it should work by now, save it with "verify": "skip" and verify it.';

/** The fault for a credential that is not to be saved. */
export function toLoginError(verdict: Exclude<LoginResult, { kind: 'valid' }>): ServiceError {
  const detail = toLoginResultDetail(verdict);
  switch (verdict.kind) {
    case 'rejected':
      return new ServiceError('credentials_rejected', verdict.isRemembered ? `${detail} ${REMEMBERED}` : detail, {
        ...(verdict.isRemembered ? { reason: 'refused_before' } : {}),
        errors: [{ pointer: '/password', detail: 'is refused by BioTrack, or the user name is' }],
      });
    case 'ubi_rejected':
      return new ServiceError('ubi_rejected', detail);
    case 'privilege_missing':
      return new ServiceError('privilege_missing', detail, { reason: verdict.privilege });
    case 'unreachable':
      return toUpstreamError(verdict.error);
  }
}

/** 503 with the reason: trouble at BioTrack, which is nobody's fault here. */
export function toUpstreamError(error: BiotrackError): ServiceError {
  return new ServiceError('upstream_unavailable', error.advice, {
    reason: error.reason,
    retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 30_000) / 1000),
    cause: error,
  });
}
