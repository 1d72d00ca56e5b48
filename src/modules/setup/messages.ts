import { createMessage, type Message } from '../../domain/message.js';
import type { SetupStep } from '../../domain/setup.js';
import type { Tenant } from '../tenants/index.js';

export const toStepMessage = (step: SetupStep): Message =>
  createMessage('step_required', { step }, `Complete the step \`${step}\` first.`);

export const toUbiMessage = (): Message =>
  createMessage(
    'ubi_not_recognized',
    {},
    "BioTrack does not recognize this UBI. Check the tenant's state, then set the UBI that this state issued to the company.",
  );

export const toSyncActiveMessage = (): Message =>
  createMessage('sync_active', {}, 'A sync is in progress. No action is needed.');

export const toConflictsMessage = (count: number): Message =>
  createMessage(
    'open_conflicts',
    { count },
    `${count} ${count === 1 ? 'conflict is' : 'conflicts are'} open: several companies claim the same vendor and stay separate until an admin decides. GET …/conflicts?status=open lists what to decide.`,
  );

/** A failed run always has a message. */
const toReason = (reason: Message | null): Message =>
  reason ?? createMessage('internal', {}, 'An unexpected error occurred.');

export function toFailedMessage(message: Message | null): Message {
  const { code: reason, params, text } = toReason(message);
  return createMessage('sync_failed', { reason, ...params }, `The last sync failed (${reason}): ${text}`);
}

export function toReviewMessage(message: Message | null): Message {
  const { code: reason, params, text } = toReason(message);
  return createMessage('sync_needs_review', { reason, ...params }, `The last sync needs a review (${reason}): ${text}`);
}

export function toRetryMessage(message: Message | null, retryAt: Date): Message {
  const { code: reason, params, text } = toReason(message);
  const retry_datetime = retryAt.toISOString();
  return createMessage(
    'sync_retry_scheduled',
    { reason, ...params, retry_datetime },
    `The last sync failed (${reason}): ${text} The service retries it automatically at ${retry_datetime}.`,
  );
}

export const toUnsupportedMessage = ({ state }: Pick<Tenant, 'state'>): Message =>
  createMessage(
    'state_not_supported',
    { state },
    `This deployment does not support the state ${state}. The operator must configure it, or change the state of the tenant.`,
  );

export const toLeftMessage = (state_name: string): Message =>
  createMessage(
    'state_left',
    { state_name },
    `${state_name} no longer uses BioTrack. Licenses in this state can no longer be synced.`,
  );

export const toNoAddressMessage = (state_name: string, environment: Tenant['environment']): Message =>
  createMessage(
    'address_missing',
    { state_name, environment },
    `No BioTrack address is configured for ${state_name}, ${environment}. The operator must configure one.`,
  );
