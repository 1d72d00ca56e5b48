import { type Db, withTenant } from '../../db/database.js';
import { linkSignals } from '../../domain/linked-signal.js';
import { LEASE_SECONDS, renewLease } from './held-run-repository.js';
import type { SyncRun } from './repository.js';

export interface Lease {
  /** Aborted when this worker lost the run, or when the process shuts down. */
  readonly signal: AbortSignal;
  stop(): void;
}

/** Several renewals fit into one lease, so a single failed renewal does not lose it. */
const RENEW_MS = (LEASE_SECONDS * 1000) / 4;

/** Renews the lease of a run until `stop` is called. */
export function keepLease(db: Db, tenantId: string, run: SyncRun, shutdown: AbortSignal): Lease {
  const lost = new AbortController();
  let isRenewing = false;
  const timer = setInterval(() => {
    // Do not pile up renewals while the database is slow.
    if (isRenewing) return;
    isRenewing = true;
    withTenant(db, tenantId, (tx) => renewLease(tx, run))
      .then(
        (held) => {
          if (!held) lost.abort(new Error('the run was taken over or canceled'));
        },
        // Ignored if the database is unavailable: the fence protects the result if another worker takes over.
        () => undefined,
      )
      .finally(() => {
        isRenewing = false;
      });
  }, RENEW_MS);
  const linked = linkSignals([lost.signal, shutdown]);
  return {
    signal: linked.signal,
    stop() {
      clearInterval(timer);
      linked.dispose();
    },
  };
}
