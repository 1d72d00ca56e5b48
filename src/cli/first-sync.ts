import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from './api.js';
import { CliError } from './failure.js';
import type { components } from './generated/v1.js';
import { createRunEvents } from './run-events.js';

export type Run = components['schemas']['SyncRun'];

const FIRST_POLL_MS = 100;
const SLOWEST_POLL_MS = 1_000;

export const hasEnded = ({ status }: Run): boolean => status !== 'queued' && status !== 'running';

const hasSucceeded = ({ status }: Run): boolean => status === 'succeeded' || status === 'succeeded_with_warnings';

/**
 * Whether a run has to be started, now that the set-up is done.
 * @param before the newest run before the licenses were created, which may have started one
 * @param newest the newest run now
 * @param isStale whether this command changed what a run that has ended worked from
 */
export function toSyncAction(before: Run | undefined, newest: Run | undefined, isStale: boolean): 'start' | 'follow' {
  if (newest === undefined) return 'start';
  // One that began under our eyes is the answer to what we did, however it ends.
  if (!hasEnded(newest) || newest.id !== before?.id) return 'follow';
  // A plan that waits for a person's word is not made anew behind his back.
  if (newest.status === 'needs_review') return 'follow';
  return hasSucceeded(newest) && !isStale ? 'follow' : 'start';
}

/** The newest run that writes. */
export async function findNewestRun(api: ApiClient, tenantId: string): Promise<Run | undefined> {
  const params = { path: { tenant_id: tenantId }, query: { 'page[size]': 20 } };
  const { data } = await api.call((client) => client.GET('/v1/tenants/{tenant_id}/syncs', { params }));
  return data.data.find(({ mode }) => mode === 'full');
}

export async function startRun(api: ApiClient, tenantId: string): Promise<Run> {
  // The service joins an active run by itself; the key is for repetitions of this one request.
  const headers = { 'Idempotency-Key': randomUUID() };
  const params = { path: { tenant_id: tenantId } };
  const { data } = await api.call((client) =>
    client.POST('/v1/tenants/{tenant_id}/syncs', { params, headers, body: {} }),
  );
  return data;
}

/**
 * Follows a run to its end, and from one that was superseded to the run that took its place.
 * @throws Failure unless it ends with companies, in time
 */
export async function followFirstRun(
  api: ApiClient,
  tenantId: string,
  first: Run,
  waitMs: number,
  show: (run: Run) => void,
): Promise<Run> {
  const patience = performance.now() + waitMs;
  const events = createRunEvents(api, tenantId, show);
  let run = first;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, SLOWEST_POLL_MS)) {
    show(run);
    if (run.status === 'superseded') {
      const newest = await findNewestRun(api, tenantId);
      if (newest !== undefined && newest.id !== run.id) run = newest;
    }
    if (hasEnded(run) && run.status !== 'superseded') break;
    const leftMs = Math.floor(patience - performance.now());
    if (pollMs > leftMs) throw toLateFailure(run, waitMs);
    // Told by the service while it tells; where it does not, asked now and then.
    await Promise.all([pause(pollMs), events.listen(run.id, AbortSignal.timeout(leftMs))]);
    const params = { path: { tenant_id: tenantId, id: run.id } };
    run = (await api.call((client) => client.GET('/v1/tenants/{tenant_id}/syncs/{id}', { params }))).data;
  }
  if (!hasSucceeded(run)) throw toRunFailure(run);
  return run;
}

const toRunFailure = ({ id, status, reason, reason_detail }: Run): CliError =>
  new CliError({
    title: status === 'needs_review' ? 'The sync waits for a person' : `The sync ended as ${status}`,
    detail: `${reason_detail ?? 'The run itself tells no more.'} [run ${id}]`,
    code: reason ?? status,
  });

const toLateFailure = ({ id, status, retry_datetime }: Run, waitMs: number): CliError => {
  const next = retry_datetime === null ? '' : `; its next attempt is at ${retry_datetime}`;
  return new CliError({
    title: 'The sync has not ended in time',
    detail: `The run is ${status} after ${Math.round(waitMs / 1_000)} s${next}. It goes on by itself. [run ${id}]`,
    code: 'still_running',
  });
};
