import { hash } from 'node:crypto';
import { ANSWERS } from '../answers.js';
import { findMember, toObject, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';

/** Fetches one page of a list. */
export type FetchPage = (query: URLSearchParams) => Promise<WireObject>;

export interface PagedList {
  /** The response member with the rows. */
  readonly member: string;
  readonly action: string;
  /** The query parameter that receives `NextCursor`. */
  readonly cursorParameter: string;
  readonly maxBodyBytes: number;
}

/** Twice the pages of 100,000 licenses at 100 per page. More pages mean that the list never ends. */
const MAX_PAGES = 2_000;
/** How often a list is read from its first page because it changed while it was read. */
const MAX_READS = 3;
/** About the size of one row in JSON. */
const ROW_BYTES = 300;

interface ReadPages {
  readonly rows: readonly unknown[];
  readonly pages: number;
  /** Whether the list moved between the first page and the last; undefined if the responses do not say. */
  readonly isMoved: boolean | undefined;
}

/**
 * All rows of a list, or a BiotrackError. A row that is edited while the list is paged moves to another page, so the list
 * is complete only if it did not change meanwhile: `NextTransactionID` is the same on the first page and on the last, or,
 * if the responses have none, two reads in a row return the same rows.
 */
export async function fetchPages(fetchPage: FetchPage, list: PagedList): Promise<readonly unknown[]> {
  let previous: string | undefined;
  for (let read = 1; read <= MAX_READS; read += 1) {
    const { rows, pages, isMoved } = await readPages(fetchPage, list);
    if (pages === 1 || isMoved === false) return rows;
    if (isMoved === true) continue;
    const key = toPageKey(rows);
    if (key === previous) return rows;
    previous = key;
  }
  throw new BiotrackError(ANSWERS.listMoved, { action: list.action });
}

async function readPages(fetchPage: FetchPage, list: PagedList): Promise<ReadPages> {
  const { member, action, cursorParameter, maxBodyBytes } = list;
  const invalid = (): BiotrackError => new BiotrackError(ANSWERS.invalidPagination, { action });
  const rows: unknown[] = [];
  const seen = new Set<string>();
  let first: string | undefined;
  let cursor: string | undefined;
  for (let pages = 1; ; pages += 1) {
    const response = await fetchPage(new URLSearchParams(cursor === undefined ? {} : { [cursorParameter]: cursor }));
    const listed = findMember(response, member);
    if (listed === undefined || listed === null)
      throw pages === 1 ? new BiotrackError(ANSWERS.listMissing, { action }) : invalid();
    // The only row can be an object instead of a list of one, as in the other dialect.
    const page = toObject(listed) === undefined ? listed : [listed];
    if (!Array.isArray(page)) throw new BiotrackError(ANSWERS.listNotArray, { action });
    const next = toCursor(findSpelling(response, 'nextcursor', invalid), invalid);
    const key = `page ${toPageKey(page)}`;
    // A cursor parameter that the state ignores returns the first page forever, with the same cursor or with new ones.
    if (seen.has(key) || (next !== undefined && seen.has(`cursor ${next}`)) || pages > MAX_PAGES) throw invalid();
    seen.add(key).add(`cursor ${next}`);
    for (const row of page) rows.push(row);
    // The limit applies to the list as a whole, not to each page.
    if (rows.length * ROW_BYTES > maxBodyBytes) throw new BiotrackError(ANSWERS.bodyTooLarge, { action });
    const marker = toMarker(findSpelling(response, 'nexttransactionid', invalid));
    if (pages === 1) first = marker;
    if (next !== undefined) {
      cursor = next;
      continue;
    }
    const isMoved = first === undefined && marker === undefined ? undefined : first !== marker;
    return { rows, pages, isMoved };
  }
}

/** A member whatever its case and underscores: a list must not end early because of another spelling. */
function findSpelling(response: WireObject, name: string, invalid: () => BiotrackError): unknown {
  const found = Object.keys(response).filter((key) => key.toLowerCase().replaceAll('_', '') === name);
  if (found.length > 1) throw invalid();
  return found[0] === undefined ? undefined : findMember(response, found[0]);
}

/** Undefined on the last page: null, `""`, 0, `"0"` or absent. Everything else that is no cursor is an error. */
function toCursor(value: unknown, invalid: () => BiotrackError): string | undefined {
  if (value === undefined || value === null || value === '' || value === 0 || value === '0') return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return String(value);
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw invalid();
}

/** Undefined for a blank or zero, which says nothing about whether the list moved. */
function toMarker(value: unknown): string | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
  return /^0*$/.test(text) ? undefined : text;
}

/** A digest of the rows that ignores the order of their members, which differs between responses. */
function toPageKey(rows: readonly unknown[]): string {
  const sorted = rows.map((row) => {
    const object = toObject(row);
    if (object === undefined) return row;
    return Object.keys(object)
      .sort()
      .map((key) => [key, object[key]]);
  });
  return hash('sha256', JSON.stringify(sorted), 'base64url');
}
