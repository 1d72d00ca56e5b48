import type { FastifyInstance } from 'fastify';
import { toActor } from '../domain/principal.js';
import { isRead } from './operation.js';

/** The call on whose behalf something is changed. */
export interface RequestCause {
  readonly operationId: string;
  readonly actor: string;
  readonly requestId: string;
  /** The path, which names the object. */
  readonly object: string;
}

/** Runs the rest of a call so that whoever writes something can find out what for. */
export type RunWithCause = (cause: RequestCause, rest: () => void) => void;

/** Lets every change of an operation be told with its cause: no handler has to hand it down. */
export function registerCause(app: FastifyInstance, withCause: RunWithCause): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { operationId } = request.routeOptions.schema ?? {};
    const { principal } = request;
    if (operationId === undefined || principal === null || isRead(operationId)) return done();
    const object = new URL(request.url, 'http://localhost').pathname;
    withCause({ operationId, actor: toActor(principal), requestId: request.id, object }, done);
  });
}
