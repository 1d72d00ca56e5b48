import { BiotrackError } from '../../biotrack/index.js';
import { isStorageUnavailable } from '../../db/sqlstate.js';
import type { FailureReason } from '../../domain/failure-reason.js';
import { ServiceError } from '../../domain/service-error.js';
import { LoginRefusedError } from '../credentials/index.js';
import { ListShrunkError } from '../directory/index.js';

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

export function toFailure(error: unknown): { reason: FailureReason; cause: unknown } {
  if (error instanceof RunFailure) return { reason: error.reason, cause: error.cause };
  if (error instanceof BiotrackError || error instanceof LoginRefusedError)
    return { reason: error.reason, cause: error };
  if (error instanceof ServiceError && (error.code === 'credential_unreadable' || error.code === 'unknown_state'))
    return { reason: error.code, cause: error };
  if (error instanceof ServiceError && error.code === 'setup_incomplete')
    return { reason: 'credentials_missing', cause: undefined };
  if (error instanceof ListShrunkError) return { reason: 'list_shrunk', cause: error };
  if (isStorageUnavailable(error) || isTenantBusy(error)) return { reason: 'storage_unavailable', cause: error };
  return { reason: 'internal', cause: error };
}

const isTenantBusy = (error: unknown): boolean => error instanceof ServiceError && error.code === 'sync_in_progress';

/** BioTrack's own text, if it refused a call. */
export function toOperatorDetail(error: unknown): string | undefined {
  if (error instanceof BiotrackError) return error.upstreamText?.reveal();
  return error instanceof LoginRefusedError ? (error.upstreamText ?? undefined) : undefined;
}
