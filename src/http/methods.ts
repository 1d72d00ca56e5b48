import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';

interface Path {
  readonly url: string;
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Collects which methods each path takes. @returns what answers where no route was found */
export function collectMethods(app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => void {
  const paths = new Map<string, Path>();
  /** Paths such as `…/bulk`, which `…/:id` would answer for with the methods that they do not take. */
  let shadowed: readonly Path[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const known = paths.get(url) ?? { url, pattern: toPattern(url), methods: new Set(['OPTIONS']) };
    for (const each of [method].flat()) known.methods.add(each);
    paths.set(url, known);
  });
  app.addHook('onReady', async () => {
    const all = [...paths.values()];
    shadowed = all.filter(({ url }) => all.some((other) => other.url !== url && other.pattern.test(url)));
  });
  const toPath = ({ url }: FastifyRequest): string => url.split('?')[0] ?? '';
  const refuse = (request: FastifyRequest, reply: FastifyReply, methods: readonly string[]): void => {
    reply.header('allow', [...new Set(methods)].sort().join(', '));
    if (request.method === 'OPTIONS') void reply.code(204).send();
    else throw new ServiceError('method_not_allowed', 'See the header Allow for what this path takes.');
  };
  const findShadowed = (path: string): Path | undefined => shadowed.find(({ pattern }) => pattern.test(path));
  app.addHook('onRequest', async (request, reply) => {
    if (shadowed.length === 0 || request.routeOptions.url === undefined) return;
    const own = findShadowed(toPath(request));
    if (own !== undefined && own.url !== request.routeOptions.url) refuse(request, reply, [...own.methods]);
  });
  return (request, reply) => {
    const path = toPath(request);
    const own = findShadowed(path);
    const found = own === undefined ? [...paths.values()].filter(({ pattern }) => pattern.test(path)) : [own];
    if (found.length === 0) throw new ServiceError('not_found', 'There is no such path.');
    refuse(
      request,
      reply,
      found.flatMap(({ methods }) => [...methods]),
    );
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
