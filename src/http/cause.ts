import type { FastifyInstance } from 'fastify';
import { toActor } from '../domain/principal.js';
import { isRead } from './operation.js';

/** The request that causes a change; recorded in the audit log. */
export interface RequestCause {
  readonly operationId: string;
  readonly actor: string;
  readonly requestId: string;
  /** The path of the request, which identifies the object. */
  readonly object: string;
}

/** Runs the rest of a request with `cause` as its ambient context. */
export type RunWithCause = (cause: RequestCause, rest: () => void) => void;

/** Sets the cause for every operation that can change data, so that handlers need not pass it on. */
export function registerCause(app: FastifyInstance, withCause: RunWithCause): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { operationId } = request.routeOptions.schema ?? {};
    const { principal } = request;
    if (operationId === undefined || principal === null || isRead(operationId)) return done();
    const object = new URL(request.url, 'http://localhost').pathname;
    withCause({ operationId, actor: toActor(principal), requestId: request.id, object }, done);
  });
}
