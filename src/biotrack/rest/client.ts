import { ANSWERS, type ResponseBody } from '../answers.js';
import type { Action } from '../classify.js';
import type { Deadline } from '../deadline.js';
import {
  BEYOND_ALL_TRANSACTIONS,
  type BiotrackLogin,
  type DialectClient,
  type DialectContext,
  type VendorCheck,
} from '../dialect-client.js';
import { findMember, toObject, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';
import { type ListedRow, toListedRow, toVendorList, type VendorList } from '../list.js';
import { mapRows } from '../rows.js';
import type { ListName } from '../to-listed-vendor.js';
import { fromRestVendor } from './to-vendor.js';

const action = 'sync_vendor';
/** Twice the pages of 100,000 licenses at 100 per page. More pages mean that the list never ends. */
const MAX_PAGES = 2_000;
/** Characters that are allowed in an HTTP header value and cannot end it. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/;
/** About the size of one row in JSON. */
const ROW_BYTES = 300;

interface RestCall {
  readonly action: Action;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body?: string;
  readonly login: BiotrackLogin;
  /** Absent for the login itself. */
  readonly session?: string;
}

/** The licensee REST dialect (Florida). Refusals are HTTP 400 with `{"Error"}` (observed in a related API). */
export class RestClient implements DialectClient {
  readonly #context: DialectContext;
  readonly #basePath: string;

  constructor(context: DialectContext) {
    this.#context = context;
    this.#basePath = new URL(context.config.url).pathname.replace(/\/+$/, '');
  }

  async login(login: BiotrackLogin, deadline: Deadline): Promise<string> {
    if (!HEADER_SAFE.test(login.ubi)) throw new BiotrackError(ANSWERS.unsendableUbi, { action: 'login' });
    const body = JSON.stringify({ Username: login.username, Password: login.password.reveal() });
    const query = new URLSearchParams();
    const response = await this.#call(
      { action: 'login', method: 'POST', path: '/v1/user/login', query, body, login },
      deadline,
    );
    const session = findMember(response, 'session') ?? findMember(response, 'Session');
    if (typeof session === 'string' && HEADER_SAFE.test(session)) return session;
    throw new BiotrackError(ANSWERS.unexpectedJson, { action: 'login' });
  }

  async probeVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<void> {
    const query = new URLSearchParams({ TransactionID: String(BEYOND_ALL_TRANSACTIONS) });
    await this.#getVendors(query, login, session, deadline);
  }

  /** The cursor parameter is a guess, so a cursor that leads nowhere is expected and rejects the whole list. */
  async fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList> {
    if (list !== 'vendors') return EMPTY_LIST;
    const { cursorParameter, maxBodyBytes } = this.#context.config;
    const rows: unknown[] = [];
    const cursors = new Set<string>();
    let cursor = '';
    do {
      const query = new URLSearchParams(cursor === '' ? {} : { [cursorParameter]: cursor });
      const response = await this.#getVendors(query, login, session, deadline);
      const page = findMember(response, 'Vendor');
      if (page === undefined || page === null) {
        throw new BiotrackError(cursors.size === 0 ? ANSWERS.listMissing : ANSWERS.invalidPagination, { action });
      }
      if (!Array.isArray(page)) throw new BiotrackError(ANSWERS.listNotArray, { action });
      for (const row of page) rows.push(row);
      cursor = toCursor(findMember(response, 'NextCursor'));
      if (cursor !== '' && (cursors.has(cursor) || cursors.size >= MAX_PAGES)) {
        throw new BiotrackError(ANSWERS.invalidPagination, { action });
      }
      // The limit applies to the list as a whole, not to each page.
      if (rows.length * ROW_BYTES > maxBodyBytes) throw new BiotrackError(ANSWERS.bodyTooLarge, { action });
      cursors.add(cursor);
    } while (cursor !== '');
    const map = (row: unknown): ListedRow =>
      toListedRow(fromRestVendor(row, this.#context.licenseTypes), () =>
        findMember(toObject(row) ?? {}, 'TransactionID'),
      );
    return toVendorList((await mapRows(rows, map)) as ListedRow[], { action, mayBeEmpty: false });
  }

  /** The dialect has no such call. */
  async checkVendors(): Promise<VendorCheck> {
    return { sum: undefined };
  }

  #getVendors(query: URLSearchParams, login: BiotrackLogin, session: string, deadline: Deadline): Promise<WireObject> {
    return this.#call({ action, method: 'GET', path: '/v1/vendor', query, login, session }, deadline);
  }

  #call({ action, method, path, query, body, login, session }: RestCall, deadline: Deadline): Promise<WireObject> {
    const { state, environment, config, upstream } = this.#context;
    if (environment === 'training') query.set('Training', '1');
    const search = query.toString();
    return upstream.call(
      {
        action,
        kind: action === 'login' ? 'login' : 'read',
        state,
        environment,
        maxBodyBytes: config.maxBodyBytes,
        charset: config.charset,
        method,
        path: `${this.#basePath}${path}${search === '' ? '' : `?${search}`}`,
        headers: {
          accept: 'application/json',
          'x-ubi': login.ubi,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(session === undefined ? {} : { 'x-session-token': session }),
        },
        body,
        secrets: [login.password.reveal(), login.username, login.ubi, session ?? ''],
        toResponseBody,
      },
      deadline,
    );
  }
}

const EMPTY_LIST: VendorList = { vendors: [], skips: [], fetched: 0, transactionSum: '0' };

function toResponseBody(object: WireObject, status: number): ResponseBody {
  const text = findMember(object, 'Error') ?? findMember(object, 'error');
  if (typeof text === 'string' && text.trim() !== '') return { kind: 'refused', text, code: undefined };
  if (status < 400) return { kind: 'accepted' };
  // Without a text, only the statuses of this dialect are refusals. Others can come from a gateway.
  const isRefused = status === 400 || status === 401;
  return isRefused ? { kind: 'refused', text: undefined, code: undefined } : { kind: 'unexpected_json' };
}

/** Empty on the last page. */
function toCursor(value: unknown): string {
  if (typeof value === 'number' && value !== 0) return String(value);
  return typeof value === 'string' && value !== '0' ? value.trim() : '';
}
