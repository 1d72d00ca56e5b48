import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { IdempotencyStore, IdempotentRequest, StoredAnswer } from '../domain/idempotency.js';
import type { Log } from '../domain/log-event.js';
import { toActor } from '../domain/principal.js';
import { principalOf } from './auth.js';
import { addErrors } from './operation.js';
import { PROBLEM_TYPE } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request with a key whose answer is not kept yet. */
    attempt: IdempotentRequest | null;
  }
}

const HEADER = 'idempotency-key';
/** What of an answer's head belongs to the answer, and not to the request or the connection. */
const KEPT_HEADERS = ['content-type', 'etag', 'location'];

const idempotencyKey = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 255,
    pattern: '^[!-~]+$',
    description:
      'Makes a repetition safe: within 24 hours the same request with the same key has no further effect and gets the ' +
      'first answer again, with `idempotency-replayed: true`. A key of its own for each request, such as a UUID.',
    examples: ['6f1c1f0e-6f0b-4f0c-9d0e-5b1f6c1a2b3c'],
  }),
);

/** Every POST takes an Idempotency-Key: a repetition gets the first answer again and has no effect. */
export function registerIdempotency(app: FastifyInstance, keys: IdempotencyStore): void {
  app.decorateRequest('attempt', null);
  app.addHook('onRoute', ({ method, schema }) => {
    if (method !== 'POST' || schema === undefined) return;
    const { properties = {} } = (schema.headers ?? {}) as { properties?: object };
    schema.headers = Type.Object({ ...properties, [HEADER]: idempotencyKey });
    addErrors(schema, ['idempotency_in_progress', 'outcome_unknown', 'idempotency_key_reused']);
  });
  // With a callback, so that what follows runs inside the attempt.
  app.addHook('preHandler', (request, reply, done) => {
    const key = request.headers[HEADER];
    if (request.method !== 'POST' || typeof key !== 'string') return done();
    const principal = principalOf(request);
    const { tenant_id: tenantId } = request.params as { tenant_id?: string };
    const { method, url, body } = request;
    keys
      .begin({
        tenantId: tenantId ?? principal.tenantId ?? undefined,
        actor: toActor(principal),
        key,
        method,
        url,
        body,
      })
      .then((begun) => {
        if (begun.kind === 'repetition') return repeat(request, reply, begun.answer);
        request.attempt = begun.attempt;
        return begun.attempt.run(done);
      })
      .catch(done);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { attempt } = request;
    if (attempt === null) return;
    request.attempt = null;
    try {
      // A request that broke is not answered the same way for a day: if nothing was changed, it may be tried again.
      if (reply.statusCode >= 500) await attempt.end();
      else await attempt.keep({ status: reply.statusCode, headers: toKept(reply), body: String(payload ?? '') });
    } catch (error) {
      // The caller gets his answer; who repeats the request is told that its outcome is not known.
      const log: Log = request.log;
      log.error({ event: 'idempotency.answer_not_kept', err: error });
    }
  });
}

function toKept(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = reply.getHeader(name);
      return value === undefined ? [] : [[name, String(value)]];
    }),
  );
}

function repeat(request: FastifyRequest, reply: FastifyReply, { status, headers, body }: StoredAnswer): void {
  reply.code(status).headers({ ...headers, 'idempotency-replayed': 'true' });
  // A problem names the request that it was found in, which is this one now.
  const isProblem = headers['content-type']?.startsWith(PROBLEM_TYPE) === true;
  reply.send(isProblem ? JSON.stringify({ ...JSON.parse(body), request_id: request.id }) : body);
}
