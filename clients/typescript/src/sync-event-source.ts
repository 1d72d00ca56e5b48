import type { Client } from './client.js';
import { sleep } from './deadline.js';
import { DEFAULT_RETRY_POLICY, toBackoffMs } from './retry-policy.js';
import type { SyncEventOptions, SyncRun } from './sync-events.js';
import { hasEnded } from './wait-for-sync.js';

/** The events of a run, through the `EventSource` of a browser and tickets: an `EventSource` cannot send a token. */

/** What is used of an `EventSource`. */
export interface EventSourceLike {
  addEventListener(
    type: string,
    listener: (event: { readonly data?: string; readonly lastEventId?: string }) => void,
  ): void;
  close(): void;
}

export type EventSourceConstructor = new (url: string) => EventSourceLike;

export interface FollowSyncOptions extends SyncEventOptions {
  /** Called with the run of each event. */
  readonly onProgress?: (run: SyncRun) => void;
  /** Called before each new connection after the first one. */
  readonly onReconnect?: () => void;
  /** Defaults to the global `EventSource`. */
  readonly EventSource?: EventSourceConstructor;
}

/**
 * Follows a run until it ends and returns it, whatever its `status` is. A ticket works once, so each connection gets a new one, and
 * continues after the last event. Between two connections the run is read, so this also works where a proxy blocks event streams.
 * @throws the errors of the API, or the reason of the signal
 */
export async function followSync(
  client: Pick<Client, 'GET' | 'POST'>,
  tenantId: string,
  runId: string,
  options: FollowSyncOptions = {},
): Promise<SyncRun> {
  const { onProgress = () => {}, onReconnect = () => {}, signal } = options;
  const given = { params: { path: { tenant_id: tenantId, id: runId } }, ...(signal === undefined ? {} : { signal }) };
  let { lastEventId } = options;
  for (let broken = 0; ; broken += 1) {
    const { data } = await client.POST('/v1/tenants/{tenant_id}/syncs/{id}/event-tickets', given);
    const url = new URL(data.url);
    if (lastEventId !== undefined) url.searchParams.set('last_event_id', lastEventId);
    const ended = await readEventSource(url.href, { ...options, signal }, (run, id) => {
      broken = 0;
      if (id !== '') lastEventId = id;
      onProgress(run);
    });
    if (ended !== undefined) return ended;
    const { data: run } = await client.GET('/v1/tenants/{tenant_id}/syncs/{id}', given);
    if (hasEnded(run)) {
      onProgress(run);
      return run;
    }
    await sleep(toBackoffMs(broken, DEFAULT_RETRY_POLICY), signal);
    onReconnect();
  }
}

/** Without an event for this long, the run is read and the stream is opened again. */
const MAX_SILENCE_MS = 30_000;

/** Returns the final run, or undefined if the connection ends before it. */
function readEventSource(
  url: string,
  { EventSource = globalEventSource(), signal }: FollowSyncOptions & { readonly signal: AbortSignal | undefined },
  onRun: (run: SyncRun, id: string) => void,
): Promise<SyncRun | undefined> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const source = new EventSource(url);
    let silence: ReturnType<typeof setTimeout> | undefined;
    /** A connection can end without an error, for example while a computer sleeps. */
    const listen = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => settle(() => resolve(undefined)), MAX_SILENCE_MS);
    };
    const settle = (done: () => void): void => {
      // Otherwise it would reconnect on its own, with a ticket that is used.
      source.close();
      clearTimeout(silence);
      signal?.removeEventListener('abort', abort);
      done();
    };
    const abort = (): void => settle(() => reject(signal?.reason));
    signal?.addEventListener('abort', abort);
    listen();
    for (const type of ['progress', 'end']) {
      source.addEventListener(type, ({ data = '', lastEventId = '' }) => {
        listen();
        try {
          const run = JSON.parse(data) as SyncRun;
          onRun(run, lastEventId);
          if (type === 'end') settle(() => resolve(run));
        } catch (error) {
          settle(() => reject(error));
        }
      });
    }
    source.addEventListener('error', () => settle(() => resolve(undefined)));
  });
}

function globalEventSource(): EventSourceConstructor {
  const { EventSource } = globalThis as { readonly EventSource?: EventSourceConstructor };
  if (EventSource === undefined)
    throw new TypeError('There is no EventSource here. Use streamSyncEvents or waitForSync.');
  return EventSource;
}
