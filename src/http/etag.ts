import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { OperationId } from './policy.js';

/** The ETag of a version of a resource. */
export const toEtag = (version: number): string => `"${version}"`;

/** Reads whose responses have no ETag: probes, and streams. */
const WITHOUT_ETAG: readonly OperationId[] = ['getLivez', 'getReadyz', 'listSyncEvents'];

export const hasEtag = (id: OperationId): boolean => !WITHOUT_ETAG.includes(id);

/**
 * Adds the ETag to every response with one: the version of a resource with the field `etag`, otherwise a hash of the
 * content. Sends 304 to callers that have the current one.
 */
export function registerEtags(app: FastifyInstance): void {
  app.addHook('preSerialization', async (_request, reply, payload) => {
    const { etag } = payload as { readonly etag?: unknown };
    if (reply.statusCode < 300 && typeof etag === 'string') reply.header('etag', etag);
    return payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (!isRead(request) || reply.statusCode !== 200 || !isText(payload)) return payload;
    const etag = reply.getHeader('etag') ?? `"${hash('sha256', payload, 'base64url').slice(0, ETAG_LENGTH)}"`;
    reply.header('etag', etag);
    if (!hasCurrentEtag(request, String(etag))) return payload;
    reply.code(304);
    return '';
  });
}

/** Long enough that no two contents share one by chance. */
const ETAG_LENGTH = 22;

function isRead({ method, routeOptions: { schema, url } }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  // The OpenAPI document is hidden in itself.
  if (schema?.hide === true) return url === '/openapi/v1.json';
  return schema !== undefined && hasEtag(schema.operationId as OperationId);
}

const isText = (payload: unknown): payload is string | Buffer =>
  typeof payload === 'string' || Buffer.isBuffer(payload);

/** Whether the caller already has this content. */
export function hasCurrentEtag({ headers }: FastifyRequest, etag: string): boolean {
  const { 'if-none-match': given } = headers;
  return given !== undefined && (given.trim() === '*' || parseEtags(given).includes(toOpaque(etag)));
}

/** ETags without the mark of weak ones, which proxies add when they compress a response. */
export const parseEtags = (header: string): string[] => header.split(',').map((tag) => toOpaque(tag.trim()));

const toOpaque = (etag: string): string => etag.replace(/^W\//, '');

/** Sends a 304 for a page whose ETag is known before the page is read. */
export const sendUnchanged = (reply: FastifyReply, etag: string): FastifyReply =>
  reply.code(304).header('etag', etag).send();
