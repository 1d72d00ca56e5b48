import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Precondition } from '../domain/precondition.js';
import { ServiceError } from '../domain/service-error.js';

/** A strong ETag of a resource: its version. */
export const toEtag = (version: number): string => `"${version}"`;

export const sendEtag = (reply: FastifyReply, version: number): FastifyReply => reply.header('etag', toEtag(version));

const ETAGS = /^(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*$/;
const STRONG_VERSION = /^"([1-9]\d{0,9})"$/;

/** What the caller believes of the resource, from If-Match and If-None-Match. A weak ETag never matches (RFC 9110). */
export function toPrecondition(request: FastifyRequest): Precondition {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  if (ifMatch !== undefined) return { kind: 'versions', versions: toVersions(ifMatch) };
  if (ifNoneMatch === undefined) return { kind: 'none' };
  if (ifNoneMatch.trim() === '*') return { kind: 'absent' };
  throw invalidHeader('if-none-match', 'must be *');
}

/** A weak ETag, or one that is not ours, matches no version; it is no mistake of form. */
function toVersions(header: string): number[] {
  if (!ETAGS.test(header.trim())) throw invalidHeader('if-match', 'must be one or more ETags in double quotes');
  return header.split(',').flatMap((etag) => {
    const version = STRONG_VERSION.exec(etag.trim())?.[1];
    return version === undefined ? [] : Number(version);
  });
}

const invalidHeader = (name: string, detail: string): ServiceError =>
  new ServiceError('invalid_request', `The header ${name} ${detail}.`, {
    errors: [{ pointer: `header:${name}`, detail }],
  });
