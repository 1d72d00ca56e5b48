import type { ServiceError } from '../../domain/service-error.js';
import { type SetupActor, type SetupCall, setupIncomplete } from '../../domain/setup.js';
import type { CredentialState } from './candidates.js';
import { isUsable } from './repository.js';

/** Who must act to make a credential usable, and the call to make. */
export interface Remediation {
  readonly who: SetupActor;
  /** Undefined if there is no credential to fix: create one. */
  readonly call: SetupCall | undefined;
}

type StatusOf = Pick<CredentialState, 'id' | 'status'>;

export function toRemediation(states: readonly StatusOf[]): Remediation {
  const unverified = states.find(({ status }) => status === 'unverified');
  if (unverified !== undefined) return { who: 'admin', call: toVerify(unverified) };
  const unusable = states.filter((state) => !isUsable(state));
  // Prefer what the admin can fix without the BioTrack administrator.
  const first = unusable.find(({ status }) => status !== 'privilege_missing') ?? unusable[0];
  if (first === undefined) return { who: 'admin', call: undefined };
  return { who: first.status === 'privilege_missing' ? 'biotrack_administrator' : 'admin', call: toFix(first) };
}

/** The failure reason of a run, for a status that BioTrack caused. */
export const REFUSAL_REASONS = {
  rejected: 'credentials_rejected',
  refused: 'login_refused',
  ubi_rejected: 'ubi_rejected',
  privilege_missing: 'privilege_missing',
} as const;

const isRefused = (status: CredentialState['status']): status is keyof typeof REFUSAL_REASONS =>
  status in REFUSAL_REASONS;

/**
 * 409 for a call that needs a usable credential; `next_step` is the call that provides one. `reason` is why BioTrack did not accept
 * the ones that exist.
 */
export function toNoLoginError(tenantId: string, states: readonly StatusOf[], detail: string): ServiceError {
  const refused = states.map(({ status }) => status).find(isRefused);
  const reason = refused && REFUSAL_REASONS[refused];
  return setupIncomplete(tenantId, 'credentials', detail, { call: toRemediation(states).call, reason });
}

const toVerify = ({ id }: Pick<CredentialState, 'id'>): SetupCall => ({
  operation_id: 'verifyCredential',
  method: 'POST',
  path: `credentials/${id}/verify`,
});

function toFix({ id, status }: StatusOf): SetupCall {
  if (status === 'privilege_missing') return toVerify({ id });
  if (status === 'ubi_rejected') return { operation_id: 'putUbi', method: 'PUT', path: 'ubi' };
  return { operation_id: 'updateCredential', method: 'PATCH', path: `credentials/${id}` };
}
