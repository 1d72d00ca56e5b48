import { sleep, startDeadline } from './deadline.js';
import { SyncTimeoutError } from './errors.js';
import { readSyncEvents, type SyncRun } from './sync-events.js';
import type { Transport } from './transport.js';

export interface WaitForSyncOptions {
  /** Called with the run after each change that was noticed. */
  readonly onProgress?: (run: SyncRun) => void;
  readonly signal?: AbortSignal;
  /** Defaults to no limit. */
  readonly timeoutMs?: number;
}

const MIN_POLL_MS = 100;
const MAX_POLL_MS = 1_000;

/** Whether a run has ended. A run in review has ended too: it waits for a decision. */
export const hasEnded = ({ status }: Pick<SyncRun, 'status'>): boolean => status !== 'queued' && status !== 'running';

/**
 * Waits for the end of a run: with its events while the stream works, by polling otherwise.
 * @throws SyncTimeoutError, the errors of reading a run, or the reason of the signal
 */
export async function waitForSync(
  transport: Transport,
  tenantId: string,
  runId: string,
  { onProgress = () => {}, signal, timeoutMs }: WaitForSyncOptions = {},
): Promise<SyncRun> {
  const endsAt = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  const listener = createListener(transport, tenantId, runId, onProgress);
  for (let pollMs = MIN_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS)) {
    // The pause also limits how often a stream that breaks at once is opened.
    await Promise.all([
      sleep(Math.min(pollMs, Math.max(endsAt - performance.now(), 0)), signal),
      listener.listen(signal, endsAt),
    ]);
    const { data } = await transport.send({
      verb: 'get',
      path: '/v1/tenants/{tenant_id}/syncs/{id}',
      params: { path: { tenant_id: tenantId, id: runId } },
      signal,
    });
    const run = data as SyncRun;
    onProgress(run);
    if (hasEnded(run)) return run;
    if (performance.now() >= endsAt) throw new SyncTimeoutError(timeoutMs ?? 0, run);
  }
}

interface Listener {
  /** Reports events until the stream ends or the time is up. Returns at once after a stream that sent nothing. */
  listen(signal: AbortSignal | undefined, endsAt: number): Promise<void>;
}

function createListener(
  transport: Transport,
  tenantId: string,
  runId: string,
  onProgress: (run: SyncRun) => void,
): Listener {
  let isAvailable = true;
  let lastEventId: string | undefined;
  return {
    async listen(signal, endsAt) {
      const remainingMs = endsAt - performance.now();
      if (!isAvailable || remainingMs <= 0) return;
      // Until something arrives.
      isAvailable = false;
      const limit = startDeadline(signal, Number.isFinite(remainingMs) ? remainingMs : undefined);
      const onReceived = (): void => {
        isAvailable = true;
      };
      let callbackError: { readonly error: unknown } | undefined;
      try {
        const connection = { tenantId, runId, lastEventId, signal: limit.signal, onReceived };
        for await (const { id, run } of readSyncEvents(transport, connection)) {
          if (id !== '') lastEventId = id;
          try {
            onProgress(run);
          } catch (error) {
            callbackError = { error };
            break;
          }
        }
      } catch (error) {
        // Otherwise the run is read instead, which also reports what is wrong.
        if (signal?.aborted === true) throw signal.reason;
        // Silence after some events: a proxy may hold back the rest.
        if ((error as { readonly reason?: unknown }).reason === 'timeout') isAvailable = false;
      } finally {
        limit.dispose();
      }
      if (callbackError !== undefined) throw callbackError.error;
    },
  };
}
