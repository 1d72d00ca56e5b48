import { type Db, withTenant } from '../../db/database.js';
import { LEASE_SECONDS, renewLease, type SyncRun } from './repository.js';

export interface Lease {
  /** Aborted when the run is no longer ours, or this process is about to end. */
  readonly signal: AbortSignal;
  stop(): void;
}

/** Several renewals fit into a lease, so that one lost is none lost. */
const RENEW_MS = (LEASE_SECONDS * 1000) / 4;

/** Tells the others that somebody works on this run, for as long as it is true. */
export function keepLease(db: Db, tenantId: string, run: SyncRun, shutdown: AbortSignal): Lease {
  const lost = new AbortController();
  let isRenewing = false;
  const timer = setInterval(() => {
    // A slow database is not helped by more of the same.
    if (isRenewing) return;
    isRenewing = true;
    withTenant(db, tenantId, (tx) => renewLease(tx, run))
      .then(
        (held) => {
          if (!held) lost.abort(new Error('the run was taken over'));
        },
        // The database is away: the fence decides in the end whether this worker was still the one.
        () => undefined,
      )
      .finally(() => {
        isRenewing = false;
      });
  }, RENEW_MS);
  return { signal: AbortSignal.any([lost.signal, shutdown]), stop: () => clearInterval(timer) };
}
