import type { Action } from '../classify.js';
import type { Deadline } from '../deadline.js';
import {
  BEYOND_ALL_TRANSACTIONS,
  type BiotrackLogin,
  type DialectClient,
  type DialectContext,
  type VendorCheck,
} from '../dialect-client.js';
import { readMember, toObject, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';
import { type ListedRow, toListedRow, toVendorList, type VendorList } from '../list.js';
import { mapRows } from '../rows.js';
import type { ListName } from '../to-listed-vendor.js';
import { TROUBLE_CLASSES } from '../troubles.js';
import type { Reading } from '../upstream.js';
import { fromRestVendor } from './to-vendor.js';

const action = 'sync_vendor';
/** 100,000 licenses in pages of a hundred, and then some: pages that go on after that do not end at all. */
const MOST_PAGES = 2_000;
/** Whatever a header may hold, and nothing that could end it. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/;

/** The licensee REST dialect (Florida). Its refusals are HTTP 400 with `{"Error"}` (seen in a sibling of it). */
export class RestClient implements DialectClient {
  readonly #place: DialectContext;
  readonly #path: string;

  constructor(place: DialectContext) {
    this.#place = place;
    this.#path = new URL(place.config.url).pathname.replace(/\/+$/, '');
  }

  async login(login: BiotrackLogin, deadline: Deadline): Promise<string> {
    if (!HEADER_SAFE.test(login.ubi)) throw new BiotrackError(TROUBLE_CLASSES.notSendable, { action: 'login' });
    const body = JSON.stringify({ Username: login.username, Password: login.password.reveal() });
    const answer = await this.#call(
      'login',
      'POST',
      '/v1/user/login',
      new URLSearchParams(),
      body,
      login,
      '',
      deadline,
    );
    const session = readMember(answer, 'session') ?? readMember(answer, 'Session');
    if (typeof session === 'string' && HEADER_SAFE.test(session)) return session;
    throw new BiotrackError(TROUBLE_CLASSES.noAnswer, { action: 'login' });
  }

  async probeVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<void> {
    const query = new URLSearchParams({ TransactionID: String(BEYOND_ALL_TRANSACTIONS) });
    await this.#getVendors(query, login, session, deadline);
  }

  /** Page after page. The parameters are not known, so a cursor that leads nowhere is expected, and is no list. */
  async fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList> {
    if (list !== 'vendors') return NOTHING;
    const { cursorParameter, maxBodyBytes } = this.#place.config;
    const rows: unknown[] = [];
    const cursors = new Set<string>();
    let cursor = '';
    do {
      const query = new URLSearchParams(cursor === '' ? {} : { [cursorParameter]: cursor });
      const answer = await this.#getVendors(query, login, session, deadline);
      const page = readMember(answer, 'Vendor');
      if (page === undefined || page === null) {
        throw new BiotrackError(cursors.size === 0 ? TROUBLE_CLASSES.listMissing : TROUBLE_CLASSES.pagesBroken, {
          action,
        });
      }
      if (!Array.isArray(page)) throw new BiotrackError(TROUBLE_CLASSES.listNoArray, { action });
      for (const row of page) rows.push(row);
      cursor = toCursor(readMember(answer, 'NextCursor'));
      if (cursor !== '' && (cursors.has(cursor) || cursors.size >= MOST_PAGES)) {
        throw new BiotrackError(TROUBLE_CLASSES.pagesBroken, { action });
      }
      // The cap is for the list as a whole; a row has some 300 bytes.
      if (rows.length * 300 > maxBodyBytes) throw new BiotrackError(TROUBLE_CLASSES.tooLarge, { action });
      cursors.add(cursor);
    } while (cursor !== '');
    const map = (row: unknown): ListedRow =>
      toListedRow(fromRestVendor(row, this.#place.licenseTypes), () =>
        readMember(toObject(row) ?? {}, 'TransactionID'),
      );
    return toVendorList((await mapRows(rows, map)) as ListedRow[], { action, mayBeEmpty: false });
  }

  /** This dialect has no such call. */
  async checkVendors(): Promise<VendorCheck> {
    return { sum: undefined };
  }

  #getVendors(query: URLSearchParams, login: BiotrackLogin, session: string, deadline: Deadline): Promise<WireObject> {
    return this.#call(action, 'GET', '/v1/vendor', query, undefined, login, session, deadline);
  }

  #call(
    action: Action,
    method: 'GET' | 'POST',
    path: string,
    query: URLSearchParams,
    body: string | undefined,
    login: BiotrackLogin,
    session: string,
    deadline: Deadline,
  ): Promise<WireObject> {
    const { state, environment, config, upstream } = this.#place;
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
        path: `${this.#path}${path}${search === '' ? '' : `?${search}`}`,
        headers: {
          accept: 'application/json',
          'x-ubi': login.ubi,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(session === '' ? {} : { 'x-session-token': session }),
        },
        body,
        secrets: [login.password.reveal(), login.username, login.ubi, session],
        read: readAnswer,
      },
      deadline,
    );
  }
}

const NOTHING: VendorList = { vendors: [], skips: [], fetched: 0, transactionSum: '0' };

function readAnswer(object: WireObject, status: number): Reading {
  const text = readMember(object, 'Error') ?? readMember(object, 'error');
  const isSaid = typeof text === 'string' && text.trim() !== '';
  if (isSaid) return { kind: 'refused', text, code: undefined };
  if (status < 400) return { kind: 'accepted' };
  // Without a word only what this dialect refuses with is a refusal; the rest is some gateway on the way.
  return status === 400 || status === 401 ? { kind: 'refused', text: undefined, code: undefined } : { kind: 'unclear' };
}

/** What leads to the next page; empty on the last one. */
function toCursor(value: unknown): string {
  if (typeof value === 'number' && value !== 0) return String(value);
  return typeof value === 'string' && value !== '0' ? value.trim() : '';
}
