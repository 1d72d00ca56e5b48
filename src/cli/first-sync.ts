import { setTimeout as delay } from 'node:timers/promises';
import { type Client, hasEnded, type SyncRun, SyncTimeoutError } from '#client';
import { CliError } from './cli-error.js';

const NEXT_RUN_POLL_MS = 500;

const hasSucceeded = ({ status }: SyncRun): boolean => status === 'succeeded' || status === 'succeeded_with_warnings';

/**
 * Decides whether to start a run after the setup.
 * @param before the newest run before the licenses were created; creating the first license starts a run
 * @param newest the newest run now
 * @param isStale whether this command changed settings that a finished run used
 */
export function toSyncAction(
  before: SyncRun | undefined,
  newest: SyncRun | undefined,
  isStale: boolean,
): 'start' | 'follow' {
  if (newest === undefined) return 'start';
  // A run that started meanwhile includes our changes, even if it has failed.
  if (!hasEnded(newest) || newest.id !== before?.id) return 'follow';
  // A new run would supersede the plan that a user has to review.
  if (newest.status === 'needs_review') return 'follow';
  return hasSucceeded(newest) && !isStale ? 'follow' : 'start';
}

/** Ignores dry runs. */
export async function findNewestRun(client: Client, tenantId: string): Promise<SyncRun | undefined> {
  const params = { path: { tenant_id: tenantId }, query: { 'page[size]': 20 } };
  const { data } = await client.GET('/v1/tenants/{tenant_id}/syncs', { params });
  return data.data.find(({ mode }) => mode === 'full');
}

export async function startRun(client: Client, tenantId: string): Promise<SyncRun> {
  // The API returns an active run instead of starting a second one.
  const params = { path: { tenant_id: tenantId } };
  const { data } = await client.POST('/v1/tenants/{tenant_id}/syncs', { params, body: {} });
  return data;
}

/**
 * Waits for the end of a run. Continues with the next run if it is superseded.
 * @throws CliError if the run does not succeed within `waitMs`
 */
export async function followFirstRun(
  client: Client,
  tenantId: string,
  first: SyncRun,
  waitMs: number,
  show: (run: SyncRun) => void,
): Promise<SyncRun> {
  const deadline = performance.now() + waitMs;
  let run = first;
  for (;;) {
    show(run);
    if (!hasEnded(run)) run = await waitForRun(client, tenantId, run, deadline - performance.now(), waitMs, show);
    if (run.status !== 'superseded') break;
    const newest = await findNewestRun(client, tenantId);
    if (newest !== undefined && newest.id !== run.id) {
      run = newest;
      continue;
    }
    // The run that replaces it is not there yet.
    if (performance.now() + NEXT_RUN_POLL_MS > deadline) throw toTimeoutError(run, waitMs);
    await delay(NEXT_RUN_POLL_MS);
  }
  if (!hasSucceeded(run)) throw toRunError(run);
  return run;
}

async function waitForRun(
  client: Client,
  tenantId: string,
  run: SyncRun,
  timeoutMs: number,
  waitMs: number,
  onProgress: (run: SyncRun) => void,
): Promise<SyncRun> {
  try {
    return await client.waitForSync(tenantId, run.id, { timeoutMs: Math.max(timeoutMs, 0), onProgress });
  } catch (error) {
    if (error instanceof SyncTimeoutError) throw toTimeoutError(error.run ?? run, waitMs);
    throw error;
  }
}

const toRunError = ({ id, status, reason, reason_message }: SyncRun): CliError =>
  new CliError({
    title: status === 'needs_review' ? 'Sync needs review' : `Sync ended with status ${status}`,
    detail: `${reason_message?.text ?? 'The run has no further details.'} [run ${id}]`,
    code: reason ?? status,
  });

const toTimeoutError = ({ id, status, retry_datetime }: SyncRun, waitMs: number): CliError => {
  const next = retry_datetime === null ? '' : `; its next attempt is at ${retry_datetime}`;
  return new CliError({
    title: 'Sync did not finish in time',
    detail: `The run is ${status} after ${Math.round(waitMs / 1_000)} s${next}. It continues in the service. [run ${id}]`,
    code: 'still_running',
  });
};
