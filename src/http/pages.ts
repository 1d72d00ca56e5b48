import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { PageOf, PageRequest } from '../domain/page.js';
import { ServiceError } from '../domain/service-error.js';
import { DEFAULT_PAGE_SIZE } from './primitives.js';

export interface PageQuery {
  readonly 'page[size]'?: number;
  readonly 'page[after]'?: string;
}

export interface Pager {
  /** @throws ServiceError `invalid_cursor` for a forged cursor, or one of another list */
  toPageRequest(path: string, query: PageQuery): PageRequest;
  /** The absolute URL of the next page, based on `PUBLIC_URL` and not on the Host header. */
  toNextPage(path: string, query: PageQuery, page: PageOf<unknown>): string | null;
  /** The cursor of a position, for the query parameter `page[after]`. */
  toCursor(path: string, query: PageQuery, after: string): string;
  /** A strong ETag of this page. @param revision changes whenever the content of the list may have changed */
  toEtag(path: string, query: PageQuery, revision: string): string;
}

const MAC_BYTES = 16;
/** Part of every ETag: increment it when the JSON of the same data changes. */
const FORMAT_VERSION = 2;

/**
 * A cursor contains the position of the last item of a page. It is authenticated and bound to the list and its filters, so
 * that it cannot be altered or used for another list.
 * @param keys the first one signs cursors, all of them verify
 */
export function createPager(publicUrl: string, keys: readonly [Buffer, ...Buffer[]]): Pager {
  const toMac = (key: Buffer, list: string, after: string): Buffer =>
    createHmac('sha256', key).update(list).update('\0').update(after).digest().subarray(0, MAC_BYTES);
  const toCursor = (path: string, query: PageQuery, after: string): string =>
    Buffer.concat([toMac(keys[0], toList(path, query), after), Buffer.from(after, 'utf8')]).toString('base64url');
  return {
    toCursor,
    toPageRequest(path, query) {
      const { 'page[size]': size = DEFAULT_PAGE_SIZE, 'page[after]': cursor } = query;
      if (cursor === undefined) return { size, after: undefined };
      const bytes = Buffer.from(cursor, 'base64url');
      const [mac, after] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES).toString('utf8')];
      const list = toList(path, query);
      const isValid = mac.length === MAC_BYTES && keys.some((key) => timingSafeEqual(mac, toMac(key, list, after)));
      if (isValid) return { size, after };
      throw new ServiceError('invalid_cursor', 'Restart from the first page, without page[after].', {
        errors: [{ pointer: '?page[after]', detail: 'is not a cursor of this list' }],
      });
    },
    toNextPage(path, query, { nextAfter }) {
      if (nextAfter === undefined) return null;
      const url = new URL(publicUrl + path);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
      url.searchParams.set('page[after]', toCursor(path, query, nextAfter));
      return url.href;
    },
    toEtag(path, query, revision) {
      // A MAC: cursors in the page depend on the key, and a plain hash would let callers guess the revision.
      const { 'page[size]': size = DEFAULT_PAGE_SIZE, 'page[after]': after } = query;
      const page = JSON.stringify([publicUrl, FORMAT_VERSION, toList(path, query), size, after ?? null, revision]);
      return `"${toMac(keys[0], 'etag', page).toString('base64url')}"`;
    },
  };
}

/** Identifies a list by its path and filters, independent of the page size. */
function toList(path: string, query: PageQuery): string {
  const filters = Object.entries(query)
    .filter(([name, value]) => value !== undefined && !name.startsWith('page['))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([path, filters]))
    .digest('base64url');
}
