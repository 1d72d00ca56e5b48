import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import Type, { type TSchema } from 'typebox';

/** The request headers of a list. */
export const listHeaders = Type.Object({
  'if-none-match': Type.Optional(
    Type.String({
      maxLength: 1_000,
      description: 'The ETag from a previous response of the same URL. Returns 304 if nothing has changed since.',
      examples: ['"J2n0PQx4cZ1mXo8eU7d5rw"'],
    }),
  ),
});

const headers = {
  etag: Type.String({
    description: 'Identifies the content of this page, for `If-None-Match`.',
    examples: ['"J2n0PQx4cZ1mXo8eU7d5rw"'],
  }),
};

/** The documented replies of a list with an ETag. */
export const toListReplies = <S extends TSchema>(description: string, schema: S) => ({
  200: { description, schema, headers },
  304: { description: 'The page has not changed since the response with this ETag.', headers },
});

export interface ListSource<Page> {
  /** @param revision changes whenever the content of the list may have changed */
  toEtag(revision: string): string;
  /** Must be cheap. Undefined if the tenant does not exist; `read` then throws. */
  findRevision(): Promise<string | undefined>;
  /** Reads the page together with the revision at which it was read. */
  read(): Promise<Page>;
  toReply(page: Page): Readonly<Record<string, unknown>>;
}

/**
 * Sends a list with its ETag, or 304 if the caller has the current one. Sent pages are cached by URL and sent again, to every
 * caller that may read the list, while the revision is unchanged. The revision is read from Postgres for each request.
 */
export type SendCachedList = <Page extends { readonly revision: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ListSource<Page>,
) => Promise<FastifyReply>;

interface CachedPage {
  readonly etag: string;
  readonly body: Buffer;
}

/** Larger pages are not cached, so that one caller's pages cannot evict all others. */
const MAX_SHARE_PER_PAGE = 1 / 16;
/** Approximate memory per entry beyond the body. */
const OVERHEAD_BYTES = 1_000;

/** @param cacheMegabytes size of the page cache; 0 disables it */
export function createListSender(cacheMegabytes: number): SendCachedList {
  const maxSize = cacheMegabytes * 1_000_000;
  const cache =
    maxSize === 0
      ? undefined
      : new LRUCache<string, CachedPage>({
          maxSize,
          maxEntrySize: Math.floor(maxSize * MAX_SHARE_PER_PAGE),
          sizeCalculation: ({ body }) => body.length + OVERHEAD_BYTES,
        });
  return async (request, reply, { toEtag, findRevision, read, toReply }) => {
    const { url } = request;
    const ifNoneMatch = request.headers['if-none-match'];
    const cached = cache?.get(url);
    if (ifNoneMatch !== undefined || cached !== undefined) {
      const revision = await findRevision();
      const etag = revision === undefined ? undefined : toEtag(revision);
      if (etag !== undefined && ifNoneMatch !== undefined && includesEtag(ifNoneMatch, etag))
        return reply.code(304).header('etag', etag).send();
      if (cached !== undefined && cached.etag === etag) return sendPage(reply, cached);
      // Also drops pages of deleted tenants.
      cache?.delete(url);
    }
    const page = await read();
    const etag = toEtag(page.revision);
    const fresh = { etag, body: Buffer.from(reply.serializeInput(toReply(page), '200', JSON_TYPE) as string) };
    cache?.set(url, fresh);
    return sendPage(reply, fresh);
  };
}

const JSON_TYPE = 'application/json';

const sendPage = (reply: FastifyReply, { etag, body }: CachedPage): FastifyReply =>
  reply.type(`${JSON_TYPE}; charset=utf-8`).header('etag', etag).send(body);

/** Sends a list that has no revision, with an ETag computed from its content, or 304 if the caller has the current one. */
export function sendList<Page>(request: FastifyRequest, reply: FastifyReply, page: Page): Page | FastifyReply {
  const etag = `"${hash('sha256', JSON.stringify(page), 'base64url').slice(0, ETAG_LENGTH)}"`;
  reply.header('etag', etag);
  const ifNoneMatch = request.headers['if-none-match'];
  return ifNoneMatch !== undefined && includesEtag(ifNoneMatch, etag) ? reply.code(304).send() : page;
}

const ETAG_LENGTH = 22;

/** Weak comparison, as RFC 9110 (13.1.2) requires for If-None-Match. */
const includesEtag = (header: string, etag: string): boolean =>
  header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
