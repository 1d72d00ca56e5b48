import { type Deadline, sleep, startDeadline } from './deadline.js';
import { ConnectionError, ProblemError, UnexpectedResponseError } from './errors.js';
import { parseEventStream } from './event-stream.js';
import type { components } from './generated/v1.js';
import { DEFAULT_RETRY_POLICY, toBackoffMs } from './retry-policy.js';
import type { Transport } from './transport.js';

/** The events of a run, through `fetch` and the caller's token. `sync-event-source.ts` uses an `EventSource` with tickets. */

export type SyncRun = components['schemas']['SyncRun'];

export interface SyncEvent {
  readonly id: string;
  /** `end` has the final run. Ignore types that you do not know. */
  readonly type: 'progress' | 'end' | (string & {});
  readonly run: SyncRun;
}

export interface SyncEventOptions {
  /** The ID of the last event that you have received, which is not sent again. */
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
}

const PATH = '/v1/tenants/{tenant_id}/syncs/{id}/events';

/** The service sends a keep-alive every ten seconds; after a longer silence the stream is broken or buffered. */
const MAX_SILENCE_MS = 15_000;

/** How often a stream may break without an event in between. */
const MAX_BROKEN_STREAMS = 5;

export interface SyncEventConnection {
  readonly tenantId: string;
  readonly runId: string;
  readonly lastEventId: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Called with each chunk, including keep-alives. */
  readonly onReceived?: () => void;
}

/**
 * Yields the events of one connection, and ends with it.
 * @returns whether the run has ended
 * @throws ProblemError, ConnectionError, or the reason of the signal
 */
export async function* readSyncEvents(
  transport: Transport,
  { tenantId, runId, lastEventId, signal, onReceived = () => {} }: SyncEventConnection,
): AsyncGenerator<SyncEvent, boolean> {
  const deadline = startDeadline(signal, MAX_SILENCE_MS);
  const failed = { method: 'GET', path: PATH, attempts: 1 };
  try {
    const stream = await transport.openStream(
      {
        verb: 'get',
        path: PATH,
        params: { path: { tenant_id: tenantId, id: runId } },
        headers: {
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
        signal,
      },
      deadline,
    );
    if (stream === undefined) return true;
    const chunks = readChunks(stream, deadline, onReceived, (error) => {
      if (signal?.aborted === true) return signal.reason;
      return new ConnectionError(deadline.isTimedOut ? 'timeout' : 'network', failed, error);
    });
    for await (const { id, type, data } of parseEventStream(chunks)) {
      let run: SyncRun;
      try {
        run = JSON.parse(data) as SyncRun;
      } catch (error) {
        const options = { request: failed, status: 200, requestId: undefined, retryAfterMs: undefined };
        throw new UnexpectedResponseError(options, error);
      }
      yield { id, type, run };
      if (type === 'end') return true;
    }
    return false;
  } finally {
    deadline.dispose();
  }
}

/** Reads a stream, with a time limit for each chunk. */
async function* readChunks(
  stream: ReadableStream<Uint8Array>,
  deadline: Deadline,
  onReceived: () => void,
  toError: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  // Not `for await`, which some browsers do not support for streams.
  const reader = stream.getReader();
  try {
    for (;;) {
      deadline.restart();
      let result: Awaited<ReturnType<typeof reader.read>>;
      try {
        result = await reader.read();
      } catch (error) {
        throw toError(error);
      }
      // The consumer may take any time.
      deadline.stop();
      if (result.done) return;
      onReceived();
      yield result.value;
    }
  } finally {
    // Closes the connection if the consumer has left.
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * Yields the events of a run until it ends. Reconnects after the last event if the stream breaks.
 * @throws ProblemError, or ConnectionError if the stream breaks again and again without an event
 */
export async function* streamSyncEvents(
  transport: Transport,
  tenantId: string,
  runId: string,
  { lastEventId, signal }: SyncEventOptions = {},
): AsyncGenerator<SyncEvent, void> {
  let last = lastEventId;
  for (let broken = 0; ; broken += 1) {
    let cause: unknown;
    try {
      const events = readSyncEvents(transport, { tenantId, runId, lastEventId: last, signal });
      try {
        for (;;) {
          const next = await events.next();
          if (next.done === true) {
            if (next.value) return;
            break;
          }
          broken = 0;
          if (next.value.id !== '') last = next.value.id;
          yield next.value;
        }
      } finally {
        await events.return(true);
      }
    } catch (error) {
      if (!isTemporary(error)) throw error;
      cause = error;
    }
    if (broken >= MAX_BROKEN_STREAMS) {
      throw cause ?? new ConnectionError('network', { method: 'GET', path: PATH, attempts: broken + 1 }, undefined);
    }
    const waitMs = cause instanceof ProblemError ? cause.retryAfterMs : undefined;
    await sleep(waitMs ?? toBackoffMs(broken, DEFAULT_RETRY_POLICY), signal);
  }
}

/** A broken connection, or a service that restarts or has no free stream. */
const isTemporary = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ProblemError && [429, 502, 503, 504].includes(error.status));
