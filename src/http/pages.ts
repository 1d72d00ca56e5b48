import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { PageOf, PageRequest } from '../domain/page.js';
import { ServiceError } from '../domain/service-error.js';
import { DEFAULT_PAGE_SIZE } from './primitives.js';

export interface PageQuery {
  readonly 'page[size]'?: number;
  readonly 'page[after]'?: string;
}

export interface Pager {
  /** @throws Fault `invalid_cursor` for a cursor that is not ours, or is another list's */
  toPageRequest(path: string, query: PageQuery): PageRequest;
  /** The whole URL of the next page, from the configured base and never from the Host header. */
  toNextPage(path: string, query: PageQuery, page: PageOf<unknown>): string | null;
  /** A strong ETag of this page of the list. @param revision what moves with everything that the list can show */
  toEtag(path: string, query: PageQuery, revision: string): string;
}

const MAC_BYTES = 16;
/** Moves when lists show the same things in other words, so that no caller keeps the old ones. */
const SHAPE = 1;

/**
 * Cursors say where a page ended. They are authenticated, and bound to the list and its filters, so that nobody can
 * point one at what he could not list.
 * @param keys the first makes cursors, each of them is good for reading
 */
export function createPager(publicUrl: string, keys: readonly [Buffer, ...Buffer[]]): Pager {
  const toMac = (key: Buffer, list: string, after: string): Buffer =>
    createHmac('sha256', key).update(list).update('\0').update(after).digest().subarray(0, MAC_BYTES);
  return {
    toPageRequest(path, query) {
      const { 'page[size]': size = DEFAULT_PAGE_SIZE, 'page[after]': cursor } = query;
      if (cursor === undefined) return { size, after: undefined };
      const bytes = Buffer.from(cursor, 'base64url');
      const [mac, after] = [bytes.subarray(0, MAC_BYTES), bytes.subarray(MAC_BYTES).toString('utf8')];
      const list = toList(path, query);
      const isOurs = mac.length === MAC_BYTES && keys.some((key) => timingSafeEqual(mac, toMac(key, list, after)));
      if (isOurs) return { size, after };
      throw new ServiceError('invalid_cursor', 'Start again from the first page, without page[after].', {
        errors: [{ pointer: '?page[after]', detail: 'is not a cursor of this list' }],
      });
    },
    toNextPage(path, query, { nextAfter }) {
      if (nextAfter === undefined) return null;
      const cursor = Buffer.concat([toMac(keys[0], toList(path, query), nextAfter), Buffer.from(nextAfter, 'utf8')]);
      const url = new URL(publicUrl + path);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
      url.searchParams.set('page[after]', cursor.toString('base64url'));
      return url.href;
    },
    toEtag(path, query, revision) {
      // Keyed: a cursor looks otherwise under another key, and a guess at a revision could tell how much happens here.
      const { 'page[size]': size = DEFAULT_PAGE_SIZE, 'page[after]': after } = query;
      const page = JSON.stringify([publicUrl, SHAPE, toList(path, query), size, after ?? null, revision]);
      return `"${toMac(keys[0], 'etag', page).toString('base64url')}"`;
    },
  };
}

/** The list that a cursor belongs to: its path and its filters, whatever the size of a page. */
function toList(path: string, query: PageQuery): string {
  const filters = Object.entries(query)
    .filter(([name, value]) => value !== undefined && !name.startsWith('page['))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([path, filters]))
    .digest('base64url');
}
