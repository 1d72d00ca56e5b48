import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Precondition } from '../domain/precondition.js';
import { ServiceError } from '../domain/service-error.js';

/** The strong ETag of a resource version. */
export const toEtag = (version: number): string => `"${version}"`;

export const sendEtag = (reply: FastifyReply, version: number): FastifyReply => reply.header('etag', toEtag(version));

const ETAGS = /^(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*$/;
const STRONG_VERSION = /^"([1-9]\d{0,9})"$/;

/** Parses If-Match and If-None-Match. Weak ETags never match (RFC 9110). */
export function toPrecondition(request: FastifyRequest): Precondition {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  if (ifMatch !== undefined) return { kind: 'versions', versions: toVersions(ifMatch) };
  if (ifNoneMatch === undefined) return { kind: 'none' };
  if (ifNoneMatch.trim() === '*') return { kind: 'absent' };
  throw invalidHeader('if-none-match', 'must be *');
}

/** Well-formed ETags that are weak or foreign match no version, so they lead to 412 instead of 400. */
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
