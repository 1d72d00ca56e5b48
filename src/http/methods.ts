import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../domain/fault.js';

/** Collects which methods each path takes. @returns what answers where no route was found */
export function collectMethods(app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => void {
  const paths = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = paths.get(url) ?? { pattern: toPattern(url), methods: new Set(['OPTIONS']) };
    for (const each of [method].flat()) known.methods.add(each);
    paths.set(url, known);
  });
  return (request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const methods = [...paths.values()].flatMap((each) => (each.pattern.test(path) ? [...each.methods] : []));
    if (methods.length === 0) throw new Fault('not_found', 'There is no such path.');
    reply.header('allow', [...new Set(methods)].sort().join(', '));
    if (request.method === 'OPTIONS') void reply.code(204).send();
    else throw new Fault('method_not_allowed', 'See the header Allow for what this path takes.');
  };
}

const toPattern = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split('/')
      .map((part) =>
        part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/')}$`,
  );
