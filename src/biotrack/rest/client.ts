import { ANSWERS, isLoginRefusedText, type ResponseBody } from '../answers.js';
import type { Action } from '../classify.js';
import type { Deadline } from '../deadline.js';
import {
  BEYOND_ALL_TRANSACTIONS,
  type BiotrackLogin,
  type DialectClient,
  type DialectContext,
  LIST_ACTIONS,
  type VendorCheck,
} from '../dialect-client.js';
import { findMember, toRefusalMember, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';
import { type ListedRow, toListedRow, toVendorList, type VendorList } from '../list.js';
import { mapRows } from '../rows.js';
import type { ListName } from '../to-listed-vendor.js';
import { type FetchPage, fetchPages } from './pages.js';
import { fromRestVendor } from './to-vendor.js';

export const REST_LOGIN_PATH = '/v1/user/login';
/** Characters that are allowed in an HTTP header value and cannot end it. */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/;

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
    if (!HEADER_SAFE.test(login.licenseNumber ?? '-')) {
      throw new BiotrackError(ANSWERS.invalidLoginLocation, { action: 'login' });
    }
    const body = JSON.stringify({ Username: login.username, Password: login.password.reveal() });
    const query = new URLSearchParams();
    const response = await this.#call(
      { action: 'login', method: 'POST', path: REST_LOGIN_PATH, query, body, login },
      deadline,
    );
    const session = findMember(response, 'session') ?? findMember(response, 'Session');
    if (typeof session === 'string' && HEADER_SAFE.test(session)) return session;
    throw new BiotrackError(ANSWERS.unexpectedJson, { action: 'login', httpStatus: 200 });
  }

  async probeList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<void> {
    const { path, action } = toList(list);
    const query = new URLSearchParams({ TransactionID: String(BEYOND_ALL_TRANSACTIONS) });
    await this.#call({ action, path, method: 'GET', query, login, session }, deadline);
  }

  async fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList> {
    const { name, path, member, action } = toList(list);
    const fetchPage: FetchPage = (query) =>
      this.#call({ action, method: 'GET', path, query, login, session }, deadline);
    const { cursorParameter, maxBodyBytes } = this.#context.config;
    const rows = await fetchPages(fetchPage, { member, action, cursorParameter, maxBodyBytes });
    const map = (row: unknown): ListedRow =>
      toListedRow(fromRestVendor(row, name, this.#context.licenseTypes), row, 'TransactionID');
    return toVendorList((await mapRows(rows, map)) as ListedRow[], action);
  }

  /** The dialect has no such call. */
  async checkVendors(): Promise<VendorCheck> {
    return { sum: undefined };
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
          'x-ubi': login.ubi,
          ...(typeof login.licenseNumber === 'string' ? { 'x-license': login.licenseNumber } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(session === undefined ? {} : { 'x-session-token': session }),
        },
        body,
        secrets: [login.password.reveal(), login.username, login.ubi, login.licenseNumber ?? '', session ?? ''],
        toResponseBody,
      },
      deadline,
    );
  }
}

/** The paths and the response members with the rows (observed in public adapters). */
const LISTS = {
  vendors: { name: 'vendors', action: LIST_ACTIONS.vendors, path: '/v1/vendor', member: 'Vendor' },
  labs: { name: 'labs', action: LIST_ACTIONS.labs, path: '/v1/lab', member: 'Labs' },
} as const;

function toList(list: ListName): (typeof LISTS)['vendors' | 'labs'] {
  if (list !== 'transporters') return LISTS[list];
  throw new BiotrackError(ANSWERS.listMissing, { action: LIST_ACTIONS[list] });
}

/** Statuses of this dialect's refusals. Others can come from a gateway. */
const REFUSAL_STATUSES: readonly number[] = [400, 401];

function toResponseBody(object: WireObject, status: number): ResponseBody {
  const text = toRefusalMember(findMember(object, 'Error') ?? findMember(object, 'error')) ?? toMessage(object, status);
  if (text !== undefined) return { kind: 'refused', text, code: undefined };
  if (status < 400) return { kind: 'accepted' };
  return REFUSAL_STATUSES.includes(status)
    ? { kind: 'refused', text: undefined, code: undefined }
    : { kind: 'unexpected_json' };
}

/** `Message` of a refusal in another form. A gateway has such a member, too, but its text is not about the login. */
function toMessage(object: WireObject, status: number): string | undefined {
  if (status !== 403 && !REFUSAL_STATUSES.includes(status)) return undefined;
  const message = toRefusalMember(findMember(object, 'Message') ?? findMember(object, 'message'));
  return message !== undefined && isLoginRefusedText(message) ? message : undefined;
}
