import type { ServiceError } from '../../domain/service-error.js';
import { type SetupActor, type SetupCall, setupIncomplete } from '../../domain/setup.js';
import { type CredentialState, isUsable } from './candidates.js';

/** What has to be done before there is a login to work with. */
export interface Remediation {
  readonly who: SetupActor;
  /** Undefined: a login is to be saved, which is the step's own call. */
  readonly call: SetupCall | undefined;
}

/** What comes next for these, which is told the same way wherever a login is missed. */
export function toRemediation(states: readonly CredentialState[]): Remediation {
  const untried = states.find(({ status }) => status === 'unverified');
  if (untried !== undefined) return { who: 'admin', call: toVerify(untried) };
  const refused = states.filter((state) => !isUsable(state));
  // What the admin can do himself comes before what he has to ask for.
  const first = refused.find(({ status }) => status !== 'privilege_missing') ?? refused[0];
  if (first === undefined) return { who: 'admin', call: undefined };
  return { who: first.status === 'privilege_missing' ? 'biotrack_administrator' : 'admin', call: toMend(first) };
}

/** 409: there is no login to work with, and here is the call that mends that. */
export const toNoLoginError = (tenantId: string, states: readonly CredentialState[], detail: string): ServiceError =>
  setupIncomplete(tenantId, 'credentials', detail, toRemediation(states).call);

type Named = Pick<CredentialState, 'id' | 'status'>;

const toVerify = ({ id }: Named): SetupCall => ({
  operation_id: 'verifyCredential',
  method: 'POST',
  path: `credentials/${id}/verify`,
});

function toMend({ id, status }: Named): SetupCall {
  if (status === 'privilege_missing') return toVerify({ id, status });
  if (status === 'ubi_rejected') return { operation_id: 'putUbi', method: 'PUT', path: 'ubi' };
  return { operation_id: 'updateCredential', method: 'PATCH', path: `credentials/${id}` };
}
