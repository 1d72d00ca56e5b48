import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { IdempotencyStore, IdempotentRequest, StoredResponse } from '../domain/idempotency.js';
import type { Log } from '../domain/log-event.js';
import { toActor } from '../domain/principal.js';
import { addErrors } from './operation.js';
import { PROBLEM_TYPE } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set while a request with a key has no stored response yet. */
    idempotentAttempt: IdempotentRequest | null;
  }
}

const HEADER = 'idempotency-key';
/** The headers that a replay repeats; all others belong to the request or the connection. */
const STORED_HEADERS = ['content-type', 'etag', 'location'];

const idempotencyKey = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 255,
    pattern: '^[!-~]+$',
    description:
      'Makes retries safe. Repeating the request with the same key within 24 hours has no further effect and returns the ' +
      'first response again, with the header `Idempotency-Replayed: true`. Responses that only ask to retry later (429, ' +
      '5xx, and 409 `sync_in_progress`) are not kept. Use a new key, such as a UUID, for each request.',
    examples: ['6f1c1f0e-6f0b-4f0c-9d0e-5b1f6c1a2b3c'],
  }),
);

/** Adds `Idempotency-Key` to every POST operation. */
export function registerIdempotency(app: FastifyInstance, store: IdempotencyStore): void {
  app.decorateRequest('idempotentAttempt', null);
  app.addHook('onRoute', ({ method, schema }) => {
    if (method !== 'POST' || schema === undefined) return;
    const { properties = {} } = (schema.headers ?? {}) as { properties?: object };
    schema.headers = Type.Object({ ...properties, [HEADER]: idempotencyKey });
    addErrors(schema, ['idempotency_in_progress', 'outcome_unknown', 'idempotency_key_reused']);
  });
  // A callback instead of a promise, so that the rest of the request runs inside the attempt.
  app.addHook('preHandler', (request, reply, done) => {
    const key = request.headers[HEADER];
    const { principal } = request;
    // Unknown paths have no principal.
    if (request.method !== 'POST' || typeof key !== 'string' || principal === null) return done();
    const { tenant_id: tenantId } = request.params as { tenant_id?: string };
    const { method, url, body } = request;
    store
      .begin({
        tenantId: tenantId ?? principal.tenantId ?? undefined,
        actor: toActor(principal),
        key,
        method,
        url,
        body,
      })
      .then((begun) => {
        if (begun.kind === 'replay') return replay(request, reply, begun.response);
        request.idempotentAttempt = begun.attempt;
        return begun.attempt.run(done);
      })
      .catch(done);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { idempotentAttempt: attempt } = request;
    if (attempt === null) return;
    request.idempotentAttempt = null;
    try {
      if (isTemporary(request, reply)) await attempt.abandon();
      else
        await attempt.saveResponse({
          status: reply.statusCode,
          headers: toStoredHeaders(reply),
          body: String(payload ?? ''),
        });
    } catch (error) {
      // The caller still receives the response; a retry receives 409 `outcome_unknown`.
      const log: Log = request.log;
      log.error({ event: 'idempotency.response_not_saved', err: error });
    }
  });
}

/** Whether to process a retry again if nothing was committed, instead of repeating the response. */
const isTemporary = ({ serviceError }: FastifyRequest, { statusCode }: FastifyReply): boolean =>
  statusCode >= 500 || statusCode === 429 || serviceError?.code === 'sync_in_progress';

function toStoredHeaders(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(
    STORED_HEADERS.flatMap((name) => {
      const value = reply.getHeader(name);
      return value === undefined ? [] : [[name, String(value)]];
    }),
  );
}

function replay(request: FastifyRequest, reply: FastifyReply, { status, headers, body }: StoredResponse): void {
  reply.code(status).headers({ ...headers, 'idempotency-replayed': 'true' });
  // A problem contains the id of its request: replace it with the id of this one.
  const isProblem = headers['content-type']?.startsWith(PROBLEM_TYPE) === true;
  reply.send(isProblem ? JSON.stringify({ ...JSON.parse(body), request_id: request.id }) : body);
}
