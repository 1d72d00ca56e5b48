import type { FastifyInstance } from 'fastify';
import { visit } from 'jsonc-parser';
import { ServiceError } from '../domain/service-error.js';

const MAX_DEPTH = 20;

/**
 * Reads bodies strictly: `__proto__`, a key given twice in one object (parsers disagree on which one counts), and
 * nesting beyond any of our schemas are refused.
 */
export function registerStrictJson(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Fastify reads plain text by itself, too; here that is no type that is read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    const fault = typeof text === 'string' ? findFault(text) : undefined;
    if (fault !== undefined) return done(fault);
    return parseJson(request, text.toString(), done);
  });
}

/** The parser proper decides whether it is JSON at all. */
function findFault(text: string): ServiceError | undefined {
  const objects: Set<string>[] = [];
  let depth = 0;
  let fault: ServiceError | undefined;
  const refuse = (detail: string): void => {
    fault ??= new ServiceError('malformed_json', detail);
  };
  const enter = (): void => {
    depth += 1;
    if (depth > MAX_DEPTH) refuse(`The body is nested more than ${MAX_DEPTH} levels deep.`);
  };
  visit(text, {
    onObjectBegin: () => {
      enter();
      objects.push(new Set());
      return fault === undefined;
    },
    onObjectProperty: (name) => {
      const names = objects.at(-1);
      if (names?.has(name) === true) refuse('The body has a key twice in one object.');
      names?.add(name);
    },
    onObjectEnd: () => {
      depth -= 1;
      objects.pop();
    },
    onArrayBegin: () => {
      enter();
      return fault === undefined;
    },
    onArrayEnd: () => {
      depth -= 1;
    },
  });
  return fault;
}
