import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { hasCurrentEtag, sendUnchanged } from './etag.js';

export interface CachedPageSource<Page> {
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
export type SendCachedPage = <Page extends { readonly revision: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  source: CachedPageSource<Page>,
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
export function createPageSender(cacheMegabytes: number): SendCachedPage {
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
    const cached = cache?.get(url);
    if (request.headers['if-none-match'] !== undefined || cached !== undefined) {
      const revision = await findRevision();
      const etag = revision === undefined ? undefined : toEtag(revision);
      if (etag !== undefined && hasCurrentEtag(request, etag)) return sendUnchanged(reply, etag);
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
