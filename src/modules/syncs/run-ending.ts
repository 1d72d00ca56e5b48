import { BiotrackError } from '../../biotrack/index.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { ServiceError } from '../../domain/service-error.js';
import { type ChosenCredential, isRefusal, LoginRefusedError } from '../credentials/index.js';
import { DirectoryBusyError, ListShrunkError } from '../directory/index.js';
import { isTenantGone } from '../tenants/index.js';
import type { FailureColumns } from './held-run-repository.js';
import { LargePlanBusyError } from './large-plans.js';
import { mustOperatorAct, toReasonMessage, toUpstreamMessage } from './messages.js';
import type { SyncRun } from './repository.js';
import { type RetryPolicy, toRetryDelaySeconds } from './retry-policy.js';

/** The run was taken over or has ended, so this worker must not write anything more. */
export class RunLostError extends Error {}

/** Ends a run without a result. */
export class RunFailure extends Error {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

/** Why a run failed. */
export interface Failure extends FailureColumns {
  /** For the log only. */
  readonly cause: unknown;
  /** The login that BioTrack refused, if that is the reason. */
  readonly refused: ChosenCredential | undefined;
}

/** What happens to a run that did not succeed. */
export type RunEnding =
  /** Nothing: its tenant was deleted. */
  | { readonly kind: 'gone' }
  /** Nothing: another worker has the run, or it was canceled. */
  | { readonly kind: 'lost' }
  /** Another worker continues it, because this process stops. */
  | { readonly kind: 'hand_over' }
  /** It is tried again soon, because many requests wait for the list of its state or another large plan is in memory. Does not count as an attempt. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'retry'; readonly failure: Failure; readonly seconds: number; readonly isAttempt: boolean }
  | { readonly kind: 'fail'; readonly failure: Failure };

export interface EndingContext {
  readonly isStopping: boolean;
  readonly hasLostLease: boolean;
  readonly retryPolicy: RetryPolicy;
}

/** Decides what an error means for its run. The first rule that applies wins. */
export function toEnding(
  error: unknown,
  { mode, attempt }: Pick<SyncRun, 'mode' | 'attempt'>,
  { isStopping, hasLostLease, retryPolicy }: EndingContext,
): RunEnding {
  if (isTenantGone(error)) return { kind: 'gone' };
  if (isStopping) return { kind: 'hand_over' };
  if (error instanceof RunLostError || hasLostLease) return { kind: 'lost' };
  if (error instanceof DirectoryBusyError || error instanceof LargePlanBusyError) return { kind: 'wait' };
  const failure = toFailure(error, attempt);
  const upstream = error instanceof BiotrackError ? error : undefined;
  // Previews are not retried: their caller gets the failure at once.
  const seconds = mode === 'full' ? toRetryDelaySeconds(failure.reason, attempt, retryPolicy, upstream) : undefined;
  if (seconds !== undefined) return { kind: 'retry', failure, seconds, isAttempt: upstream?.isHeldBack !== true };
  return { kind: 'fail', failure };
}

function toFailure(error: unknown, attempt: number): Failure {
  const reason = toReason(error);
  const common = { reason, cause: toCause(error), refused: undefined };
  if (error instanceof BiotrackError) {
    const needsOperator = mustOperatorAct(error, attempt);
    const reasonMessage = toUpstreamMessage(error, attempt, needsOperator);
    return { ...common, reasonMessage, needsOperator, operatorDetail: error.upstreamText?.reveal() };
  }
  const failure = { ...common, reasonMessage: toReasonMessage(reason, error), needsOperator: false };
  if (error instanceof LoginRefusedError)
    return { ...failure, refused: error.refused, operatorDetail: error.upstreamText ?? undefined };
  return { ...failure, operatorDetail: undefined };
}

function toReason(error: unknown): FailureReason {
  if (error instanceof RunFailure || error instanceof BiotrackError || error instanceof LoginRefusedError)
    return error.reason;
  if (error instanceof ServiceError && (error.code === 'credential_unreadable' || error.code === 'unknown_state'))
    return error.code;
  if (error instanceof ServiceError && error.code === 'setup_incomplete') {
    const { reason } = error.extras;
    return reason !== undefined && isRefusal(reason) ? reason : 'credentials_missing';
  }
  if (error instanceof ListShrunkError) return 'list_shrunk';
  return isStorageUnavailable(error) || isTenantBusy(error) ? 'storage_unavailable' : 'internal';
}

/** What is logged. Incomplete setups are no errors of the service. */
function toCause(error: unknown): unknown {
  if (error instanceof RunFailure) return error.cause;
  return error instanceof ServiceError && error.code === 'setup_incomplete' ? undefined : error;
}

const isTenantBusy = (error: unknown): boolean => error instanceof ServiceError && error.code === 'sync_in_progress';
