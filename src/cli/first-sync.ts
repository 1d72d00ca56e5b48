import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api.js';
import { CliError } from './cli-error.js';
import type { components } from './generated/v1.js';
import { createRunEvents } from './run-events.js';

export type Run = components['schemas']['SyncRun'];

const MIN_POLL_MS = 100;
const MAX_POLL_MS = 1_000;

export const hasEnded = ({ status }: Run): boolean => status !== 'queued' && status !== 'running';

const hasSucceeded = ({ status }: Run): boolean => status === 'succeeded' || status === 'succeeded_with_warnings';

/**
 * Decides whether to start a run after the setup.
 * @param before the newest run before the licenses were created; creating the first license starts a run
 * @param newest the newest run now
 * @param isStale whether this command changed settings that a finished run used
 */
export function toSyncAction(before: Run | undefined, newest: Run | undefined, isStale: boolean): 'start' | 'follow' {
  if (newest === undefined) return 'start';
  // A run that started meanwhile includes our changes, even if it has failed.
  if (!hasEnded(newest) || newest.id !== before?.id) return 'follow';
  // A new run would supersede the plan that a user has to review.
  if (newest.status === 'needs_review') return 'follow';
  return hasSucceeded(newest) && !isStale ? 'follow' : 'start';
}

/** Ignores dry runs. */
export async function findNewestRun(api: ApiClient, tenantId: string): Promise<Run | undefined> {
  const params = { path: { tenant_id: tenantId }, query: { 'page[size]': 20 } };
  const { data } = await api.call((client) => client.GET('/v1/tenants/{tenant_id}/syncs', { params }));
  return data.data.find(({ mode }) => mode === 'full');
}

export async function startRun(api: ApiClient, tenantId: string): Promise<Run> {
  // The API returns an active run instead of starting a second one; the key is for retries of this request.
  const headers = { 'Idempotency-Key': randomUUID() };
  const params = { path: { tenant_id: tenantId } };
  const { data } = await api.call((client) =>
    client.POST('/v1/tenants/{tenant_id}/syncs', { params, headers, body: {} }),
  );
  return data;
}

/**
 * Waits for the end of a run. Continues with the next run if it is superseded.
 * @throws CliError if the run does not succeed within `waitMs`
 */
export async function followFirstRun(
  api: ApiClient,
  tenantId: string,
  first: Run,
  waitMs: number,
  show: (run: Run) => void,
): Promise<Run> {
  const deadline = performance.now() + waitMs;
  const events = createRunEvents(api, tenantId, show);
  let run = first;
  for (let pollMs = MIN_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS)) {
    show(run);
    if (run.status === 'superseded') {
      const newest = await findNewestRun(api, tenantId);
      if (newest !== undefined && newest.id !== run.id) run = newest;
    }
    if (hasEnded(run) && run.status !== 'superseded') break;
    const remainingMs = Math.floor(deadline - performance.now());
    if (pollMs > remainingMs) throw toTimeoutError(run, waitMs);
    // Events while the stream works; polling otherwise.
    await Promise.all([delay(pollMs), events.listen(run.id, remainingMs)]);
    const params = { path: { tenant_id: tenantId, id: run.id } };
    run = (await api.call((client) => client.GET('/v1/tenants/{tenant_id}/syncs/{id}', { params }))).data;
  }
  if (!hasSucceeded(run)) throw toRunError(run);
  return run;
}

const toRunError = ({ id, status, reason, reason_detail }: Run): CliError =>
  new CliError({
    title: status === 'needs_review' ? 'Sync needs review' : `Sync ended with status ${status}`,
    detail: `${reason_detail ?? 'The run has no further details.'} [run ${id}]`,
    code: reason ?? status,
  });

const toTimeoutError = ({ id, status, retry_datetime }: Run, waitMs: number): CliError => {
  const next = retry_datetime === null ? '' : `; its next attempt is at ${retry_datetime}`;
  return new CliError({
    title: 'Sync did not finish in time',
    detail: `The run is ${status} after ${Math.round(waitMs / 1_000)} s${next}. It continues in the service. [run ${id}]`,
    code: 'still_running',
  });
};
