import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../domain/service-error.js';

interface Path {
  readonly url: string;
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** A hook that answers unmatched requests before their body is parsed: 404, 405, or 204 for OPTIONS. */
type RejectUnmatched = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;

/** Collects the methods of each path. */
export function collectMethods(app: FastifyInstance): RejectUnmatched {
  const paths = new Map<string, Path>();
  /** Paths such as `…/bulk`, which also match `…/:id` and would be routed there for methods that they do not support. */
  let shadowed: readonly Path[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    if (url === ANY) return;
    const path = paths.get(url) ?? { url, pattern: toPattern(url), methods: new Set(['OPTIONS']) };
    for (const each of [method].flat()) path.methods.add(each);
    paths.set(url, path);
  });
  app.addHook('onReady', async () => {
    const all = [...paths.values()];
    shadowed = all.filter(({ url }) => all.some((other) => other.url !== url && other.pattern.test(url)));
  });
  const toPath = ({ url }: FastifyRequest): string => url.split('?')[0] ?? '';
  const rejectMethod = (request: FastifyRequest, reply: FastifyReply, methods: readonly string[]): FastifyReply => {
    reply.header('allow', [...new Set(methods)].sort().join(', '));
    if (request.method === 'OPTIONS') return reply.code(204).send();
    throw new ServiceError('method_not_allowed', 'The Allow header lists the methods that this path supports.');
  };
  const findShadowed = (path: string): Path | undefined => shadowed.find(({ pattern }) => pattern.test(path));
  app.addHook('onRequest', async (request, reply) => {
    if (shadowed.length === 0 || isUnmatched(request)) return undefined;
    const own = findShadowed(toPath(request));
    const isShadowed = own !== undefined && own.url !== request.routeOptions.url;
    return isShadowed ? rejectMethod(request, reply, [...own.methods]) : undefined;
  });
  return async (request, reply) => {
    if (!isUnmatched(request)) return undefined;
    const path = toPath(request);
    const own = findShadowed(path);
    const found = own === undefined ? [...paths.values()].filter(({ pattern }) => pattern.test(path)) : [own];
    if (found.length === 0) throw new ServiceError('not_found', 'No operation has this path.');
    const methods = found.flatMap((each) => [...each.methods]);
    return rejectMethod(request, reply, methods);
  };
}

/** The route of the CORS plugin for OPTIONS on any path. It only serves to run the plugin's hook. */
const ANY = '*';

const isUnmatched = ({ is404, routeOptions }: FastifyRequest): boolean => is404 || routeOptions.url === ANY;

const toPattern = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split('/')
      .map((part) =>
        part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/')}$`,
  );
