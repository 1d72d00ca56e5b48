import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';

interface Path {
  readonly url: string;
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Collects the methods of each path. @returns the handler for unmatched requests: 404, 405, or 204 for OPTIONS */
export function collectMethods(app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => void {
  const paths = new Map<string, Path>();
  /** Paths such as `…/bulk`, which also match `…/:id` and would be routed there for methods that they do not support. */
  let shadowed: readonly Path[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const path = paths.get(url) ?? { url, pattern: toPattern(url), methods: new Set(['OPTIONS']) };
    for (const each of [method].flat()) path.methods.add(each);
    paths.set(url, path);
  });
  app.addHook('onReady', async () => {
    const all = [...paths.values()];
    shadowed = all.filter(({ url }) => all.some((other) => other.url !== url && other.pattern.test(url)));
  });
  const toPath = ({ url }: FastifyRequest): string => url.split('?')[0] ?? '';
  const rejectMethod = (request: FastifyRequest, reply: FastifyReply, methods: readonly string[]): void => {
    reply.header('allow', [...new Set(methods)].sort().join(', '));
    if (request.method === 'OPTIONS') void reply.code(204).send();
    else throw new ServiceError('method_not_allowed', 'The Allow header lists the methods that this path supports.');
  };
  const findShadowed = (path: string): Path | undefined => shadowed.find(({ pattern }) => pattern.test(path));
  app.addHook('onRequest', async (request, reply) => {
    if (shadowed.length === 0 || request.routeOptions.url === undefined) return;
    const own = findShadowed(toPath(request));
    if (own !== undefined && own.url !== request.routeOptions.url) rejectMethod(request, reply, [...own.methods]);
  });
  return (request, reply) => {
    const path = toPath(request);
    const own = findShadowed(path);
    const found = own === undefined ? [...paths.values()].filter(({ pattern }) => pattern.test(path)) : [own];
    if (found.length === 0) throw new ServiceError('not_found', 'No operation has this path.');
    rejectMethod(
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
