import type { FastifyInstance } from 'fastify';
import { visit } from 'jsonc-parser';
import { ServiceError } from '../domain/service-error.js';

const MAX_DEPTH = 20;

/**
 * Parses JSON bodies strictly. Rejects `__proto__`, duplicate keys (parsers disagree on which one counts), and nesting deeper
 * than any of our schemas.
 */
export function registerStrictJson(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Fastify also parses text/plain by default.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    const error = typeof text === 'string' ? findError(text) : undefined;
    if (error !== undefined) return done(error);
    return parseJson(request, text.toString(), done);
  });
}

/** Checks only what the JSON parser itself accepts. */
function findError(text: string): ServiceError | undefined {
  const objects: Set<string>[] = [];
  let depth = 0;
  let error: ServiceError | undefined;
  const reject = (detail: string): void => {
    error ??= new ServiceError('malformed_json', detail);
  };
  const enter = (): void => {
    depth += 1;
    if (depth > MAX_DEPTH) reject(`The body is nested more than ${MAX_DEPTH} levels deep.`);
  };
  visit(text, {
    onObjectBegin: () => {
      enter();
      objects.push(new Set());
      return error === undefined;
    },
    onObjectProperty: (name) => {
      const names = objects.at(-1);
      if (names?.has(name) === true) reject('An object in the body has a duplicate key.');
      names?.add(name);
    },
    onObjectEnd: () => {
      depth -= 1;
      objects.pop();
    },
    onArrayBegin: () => {
      enter();
      return error === undefined;
    },
    onArrayEnd: () => {
      depth -= 1;
    },
  });
  return error;
}
