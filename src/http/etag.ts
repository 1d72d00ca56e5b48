import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { OperationId } from './policy.js';

/** The ETag of a version of a resource. */
export const toEtag = (version: number): string => `"${version}"`;

/** Reads whose responses have no ETag: probes, and streams. */
const WITHOUT_ETAG: readonly OperationId[] = ['getLivez', 'getReadyz', 'listSyncEvents'];

export const hasEtag = (id: OperationId): boolean => !WITHOUT_ETAG.includes(id);

/**
 * Adds the ETag to every response with one. A write returns the version of the resource. A read returns a hash of the content,
 * after the version if there is one: some fields, such as the status of a credential, change without a new version. Reads of
 * callers that have the current content get 304.
 */
export function registerEtags(app: FastifyInstance): void {
  app.addHook('preSerialization', async (request, reply, payload) => {
    const { etag } = payload as { readonly etag?: unknown };
    if (reply.statusCode >= 300 || typeof etag !== 'string') return payload;
    reply.header('etag', isRead(request) ? addContentHash(etag, JSON.stringify(payload)) : etag);
    return payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (!isRead(request) || reply.statusCode !== 200 || !isText(payload)) return payload;
    const etag = reply.getHeader('etag') ?? `"${toHash(payload)}"`;
    reply.header('etag', etag);
    // Fastify's HEAD routes would give a 304 a length.
    if (request.method === 'HEAD' || !hasCurrentEtag(request, String(etag))) return payload;
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    return null;
  });
}

/** Long enough that no two contents share one by chance. */
const HASH_LENGTH = 22;

const toHash = (content: string | Buffer): string => hash('sha256', content, 'base64url').slice(0, HASH_LENGTH);

const addContentHash = (etag: string, content: string): string => `${etag.slice(0, -1)}-${toHash(content)}"`;

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
