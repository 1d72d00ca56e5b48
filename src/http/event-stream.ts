import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';

/** One of a stream of server-sent events. */
export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

export const EVENT_STREAM = 'text/event-stream';

/** The streams of this process: so many at once, and none that outlives the process. */
export interface EventStreams {
  /**
   * Sends events until they end. `events` gets what waits until it is worth looking again; where it yields undefined,
   * there is nothing to tell.
   * @throws Fault `streams_exhausted`
   */
  send(
    reply: FastifyReply,
    events: (wait: () => Promise<boolean>) => AsyncIterable<StreamEvent | undefined>,
  ): FastifyReply;
}

const MOST_STREAMS = 100;
const LOOK_MS = 500;
/** Whoever stands between keeps a connection open that is not silent. */
const HEARTBEAT_MS = 10_000;

export function createEventStreams(shutdown: AbortSignal, most = MOST_STREAMS): EventStreams {
  let open = 0;
  return {
    send(reply, events) {
      if (open >= most)
        throw new ServiceError('streams_exhausted', 'Read the run itself meanwhile, or try again in a moment.');
      open += 1;
      const gone = new AbortController();
      const ended = AbortSignal.any([shutdown, gone.signal]);
      const wait = async (): Promise<boolean> => {
        await delay(LOOK_MS, undefined, { signal: ended }).catch(() => undefined);
        return !ended.aborted;
      };
      const stream = Readable.from(toText(events(wait)));
      stream.once('close', () => {
        open -= 1;
        gone.abort();
      });
      // A proxy that keeps events to itself until there are many of them would defeat their purpose.
      return reply.type(EVENT_STREAM).header('x-accel-buffering', 'no').send(stream);
    },
  };
}

async function* toText(events: AsyncIterable<StreamEvent | undefined>): AsyncGenerator<string> {
  let spokenAt = performance.now();
  for await (const event of events) {
    if (event === undefined && performance.now() - spokenAt < HEARTBEAT_MS) continue;
    spokenAt = performance.now();
    yield event === undefined
      ? ': still there\n\n'
      : `id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
  }
}

/** What the caller has seen already, after his connection broke. */
export function lastEventIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
