import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { linkSignals } from '../domain/linked-signal.js';
import { ServiceError } from '../domain/service-error.js';

/** A server-sent event. */
export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

export const EVENT_STREAM = 'text/event-stream';

/** The event streams of this process. Their number is limited; a shutdown ends them. */
export interface EventStreams {
  /**
   * Sends events until the iterable ends.
   * @param events polls its source. It receives a function that waits for the next poll and returns false once the stream
   * has ended; it yields undefined when there is nothing new.
   * @throws ServiceError `streams_exhausted`
   */
  send(
    reply: FastifyReply,
    events: (wait: () => Promise<boolean>) => AsyncIterable<StreamEvent | undefined>,
  ): FastifyReply;
}

const MAX_STREAMS = 100;
const POLL_INTERVAL_MS = 500;
/** Proxies close connections that stay silent for too long. */
const HEARTBEAT_MS = 10_000;

export function createEventStreams(shutdown: AbortSignal, maxStreams = MAX_STREAMS): EventStreams {
  let open = 0;
  return {
    send(reply, events) {
      if (open >= maxStreams) throw new ServiceError('streams_exhausted', 'Retry later, or poll the sync run instead.');
      open += 1;
      const closed = new AbortController();
      const linked = linkSignals([shutdown, closed.signal]);
      const ended = linked.signal;
      const wait = async (): Promise<boolean> => {
        await delay(POLL_INTERVAL_MS, undefined, { signal: ended }).catch(() => undefined);
        return !ended.aborted;
      };
      const stream = Readable.from(toText(events(wait)));
      stream.once('close', () => {
        open -= 1;
        closed.abort();
        linked.dispose();
      });
      // Disables buffering in nginx and other proxies, which would delay events.
      return reply.type(EVENT_STREAM).header('x-accel-buffering', 'no').send(stream);
    },
  };
}

async function* toText(events: AsyncIterable<StreamEvent | undefined>): AsyncGenerator<string> {
  let sentAt = performance.now();
  for await (const event of events) {
    if (event === undefined && performance.now() - sentAt < HEARTBEAT_MS) continue;
    sentAt = performance.now();
    yield event === undefined
      ? ': heartbeat\n\n'
      : `id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
  }
}

/** The last event that the caller received before it reconnected. */
export function lastEventIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
