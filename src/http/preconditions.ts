import type { FastifyRequest } from 'fastify';
import type { ExpectedVersions, Precondition } from '../domain/precondition.js';
import { ServiceError } from '../domain/service-error.js';
import { parseEtags } from './etag.js';

const ETAGS = /^(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*$/;
/** With the hash that reads add (see `etag.ts`), and what some proxies add to that when they compress a response. */
const VERSION = /^"([1-9]\d{0,9})(?:-[\w-]+)?"$/;

/** Parses If-Match and If-None-Match. */
export const toPrecondition = ({ headers }: FastifyRequest): Precondition => ({
  ifMatch: toVersions('if-match', headers['if-match']),
  ifNoneMatch: toVersions('if-none-match', headers['if-none-match']),
});

/**
 * Weak ETags count like strong ones: ours are version numbers, and proxies weaken them when they compress a response. ETags
 * that are no versions match nothing.
 */
function toVersions(name: string, header: string | undefined): ExpectedVersions | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (text === '*') return '*';
  const detail = 'must be * or one or more ETags in double quotes';
  if (!ETAGS.test(text))
    throw new ServiceError('invalid_request', `The header ${name} ${detail}.`, {
      errors: [{ pointer: `header:${name}`, detail }],
    });
  return parseEtags(text).flatMap((etag) => {
    const version = VERSION.exec(etag)?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}
