import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { linkSignals } from '../domain/linked-signal.js';
import { ServiceError } from '../domain/service-error.js';
import { principalOf, recheckPrincipal } from './auth.js';
import { toCallerKey } from './in-flight.js';
import { Body, Text } from './primitives.js';
import { onceResponseEnds } from './response-end.js';

/** A server-sent event. */
export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

export const EVENT_STREAM = 'text/event-stream';

/** The request headers of an event stream. */
export const eventHeaders = {
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 100,
      description:
        'The id of the last event that was received, which is not sent again. `EventSource` sends it when it reconnects.',
      examples: ['2'],
    }),
  ),
};

/** For an `EventSource`, which can send no headers of its own. */
export const EventQuerySchema = Body({
  ticket: Type.Optional(
    Text(100, {
      description:
        'A ticket from `POST …/event-tickets`, in place of the `Authorization` header. Works once: a repetition returns 204, which ends the reconnecting of an `EventSource`.',
    }),
  ),
  last_event_id: Type.Optional(
    Text(100, { description: 'The same as `Last-Event-ID`, which has precedence.', examples: ['2'] }),
  ),
});

/** The event streams of this process. Their number is limited; a shutdown ends them. */
export interface EventStreams {
  /**
   * Sends events until the iterable ends, the reader leaves, or the caller may no longer read them.
   * @param events polls its source. It receives a function that waits for the next poll and returns false once the stream
   * has ended; it yields undefined when there is nothing new.
   * @throws ServiceError `streams_exhausted`
   */
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    events: (wait: () => Promise<boolean>) => AsyncIterable<StreamEvent | undefined>,
  ): FastifyReply;
}

export interface StreamLimits {
  readonly ofProcess: number;
  readonly ofTenant: number;
  readonly ofUser: number;
  /** It may stand for many users. */
  readonly ofKey: number;
}

const LIMITS: StreamLimits = { ofProcess: 100, ofTenant: 20, ofUser: 5, ofKey: 40 };
const POLL_INTERVAL_MS = 500;
/** Proxies close connections that stay silent for too long. */
const HEARTBEAT_MS = 10_000;
/** How often the caller's key, token and status are checked again. With their caches, a stream ends within 15 seconds. */
const RECHECK_MS = 4_000;

export function createEventStreams(shutdown: AbortSignal, limits = LIMITS): EventStreams {
  const open = new Map<string, number>();
  const add = (key: string, difference: number): void => {
    const count = (open.get(key) ?? 0) + difference;
    if (count === 0) open.delete(key);
    else open.set(key, count);
  };
  return {
    send(request, reply, events) {
      const principal = principalOf(request);
      const { tenant_id: tenantId = '' } = request.params as { tenant_id?: string };
      const maxima = new Map([
        ['', limits.ofProcess],
        [`tenant ${tenantId}`, limits.ofTenant],
        [toCallerKey(principal), principal.kind === 'user' ? limits.ofUser : limits.ofKey],
      ]);
      const keys = [...maxima.keys()];
      if (keys.some((key) => (open.get(key) ?? 0) >= (maxima.get(key) ?? 0)))
        throw new ServiceError('streams_exhausted', 'Retry later, or poll the sync run instead.');
      for (const key of keys) add(key, 1);
      const closed = new AbortController();
      const linked = linkSignals([shutdown, closed.signal]);
      const ended = linked.signal;
      let checkedAt = performance.now();
      const wait = async (): Promise<boolean> => {
        await delay(POLL_INTERVAL_MS, undefined, { signal: ended }).catch(() => undefined);
        if (ended.aborted || performance.now() - checkedAt < RECHECK_MS) return !ended.aborted;
        checkedAt = performance.now();
        return recheckPrincipal(request);
      };
      // Also if the reader left while the request waited. The stream itself only notices its end with the next event.
      onceResponseEnds(request, reply, () => {
        for (const key of keys) add(key, -1);
        closed.abort();
        linked.dispose();
      });
      // Disables buffering in nginx and other proxies, which would delay events.
      return reply
        .type(EVENT_STREAM)
        .header('x-accel-buffering', 'no')
        .send(Readable.from(toText(events(wait))));
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
export function lastEventIdOf({ headers, query }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'] ?? (query as { readonly last_event_id?: string }).last_event_id;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
