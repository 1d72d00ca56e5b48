import { ANSWERS, type ResponseBody } from '../answers.js';
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
import { findMember, toObject, toRefusalMember, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';
import { type ListedRow, toListedRow, toVendorList, type VendorList } from '../list.js';
import { parseTransactionId } from '../row-values.js';
import type { RowMapping } from '../rows.js';
import type { ListName } from '../to-listed-vendor.js';
import { fromApi4Vendor } from './to-vendor.js';

/** The response member with the rows (observed in public adapters). */
const LIST_MEMBERS = { vendors: 'vendor', labs: 'qa_lab', transporters: 'third_party_transporter' } as const;

export const toApi4Path = (pathname: string): string => (pathname === '/' ? '/serverjson.asp' : pathname);

interface Api4Call {
  readonly action: Action;
  /** The response member that a success has. */
  readonly expected: string;
  readonly members: Readonly<Record<string, unknown>>;
  readonly login: BiotrackLogin;
  readonly rows?: RowMapping;
}

/** "API 4.0": one URL, POST only, the action in the body, errors with HTTP 200 (observed in public adapters). */
export class Api4Client implements DialectClient {
  readonly #context: DialectContext;
  readonly #path: string;

  constructor(context: DialectContext) {
    this.#context = context;
    this.#path = toApi4Path(new URL(context.config.url).pathname);
  }

  async login(login: BiotrackLogin, deadline: Deadline): Promise<string> {
    const credentials = { license_number: login.ubi, username: login.username, password: login.password.reveal() };
    const response = await this.#call(
      { action: 'login', expected: 'sessionid', members: credentials, login },
      deadline,
    );
    const session = findMember(response, 'sessionid');
    if (typeof session === 'string' && session.trim() !== '' && session.length <= 4_096) return session;
    throw new BiotrackError(ANSWERS.unexpectedJson, { action: 'login', httpStatus: 200 });
  }

  async probeList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<void> {
    const members = { sessionid: session, transaction_start: BEYOND_ALL_TRANSACTIONS };
    await this.#call({ action: LIST_ACTIONS[list], expected: LIST_MEMBERS[list], members, login }, deadline);
  }

  /** The whole list in one response: the dialect has no paging. */
  async fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList> {
    const action = LIST_ACTIONS[list];
    const member = LIST_MEMBERS[list];
    const map = (row: unknown): ListedRow =>
      toListedRow(fromApi4Vendor(row, list, this.#context.licenseTypes), row, 'transactionid');
    const response = await this.#call(
      { action, expected: member, members: { sessionid: session }, login, rows: { member, map } },
      deadline,
    );
    const rows = toRows(findMember(response, member), map);
    // BioTrack omits the member if the list is empty and also if something failed, so absent does not mean empty.
    if (rows === undefined || rows === null) throw new BiotrackError(ANSWERS.listMissing, { action });
    if (!Array.isArray(rows)) throw new BiotrackError(ANSWERS.listNotArray, { action });
    return toVendorList(rows as ListedRow[], action);
  }

  /** `sum` covers the transaction numbers at or above `transaction_start` (inferred from public adapters). */
  async checkVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorCheck> {
    const check = { download: 0, data: [{ table: 'vendor', transaction_start: 0 }] };
    const response = await this.#call(
      { action: 'sync_check', expected: 'summary', members: { sessionid: session, ...check }, login },
      deadline,
    );
    const summary = findMember(response, 'summary');
    const entries = Array.isArray(summary) ? summary.map((entry) => toObject(entry) ?? {}) : [];
    const vendors = entries.find((entry) => findMember(entry, 'table') === 'vendor');
    return { sum: vendors === undefined ? undefined : toSum(findMember(vendors, 'sum')) };
  }

  #call({ action, expected, members, login, rows }: Api4Call, deadline: Deadline): Promise<WireObject> {
    const { state, environment, config, upstream } = this.#context;
    const training = environment === 'training' ? 1 : 0;
    const session = typeof members.sessionid === 'string' ? [members.sessionid] : [];
    return upstream.call(
      {
        action,
        kind: action === 'login' ? 'login' : 'read',
        state,
        environment,
        maxBodyBytes: config.maxBodyBytes,
        charset: config.charset,
        method: 'POST',
        path: this.#path,
        headers: { 'content-type': 'text/JSON' },
        body: JSON.stringify({ API: '4.0', action, ...members, training }),
        secrets: [login.password.reveal(), login.username, login.ubi, ...session],
        toResponseBody: (object) => toResponseBody(object, expected),
        rows,
      },
      deadline,
    );
  }
}

/** Some implementations return the only row as an object instead of a list of one (observed in public adapters). */
const toRows = (value: unknown, map: RowMapping['map']): unknown =>
  toObject(value) === undefined ? value : [map(value)];

/**
 * `success` is 1 or 0, as number or string. `error` and `errorcode` can be absent, and some implementations omit
 * `success` where the expected member is present (observed in public adapters).
 */
function toResponseBody(object: WireObject, expected: string): ResponseBody {
  const success = findMember(object, 'success') ?? undefined;
  if (success === 1 || success === '1' || success === true) return { kind: 'accepted' };
  const text = toRefusalMember(findMember(object, 'error'));
  const code = toRefusalMember(findMember(object, 'errorcode'))?.trim();
  const isRefused = success === 0 || success === '0' || success === false;
  if (!isRefused && text === undefined && code === undefined) {
    const isAccepted = success === undefined && (findMember(object, expected) ?? undefined) !== undefined;
    return { kind: isAccepted ? 'accepted' : 'unexpected_json' };
  }
  return { kind: 'refused', text, code };
}

function toSum(value: unknown): string | undefined {
  try {
    return parseTransactionId(value) ?? undefined;
  } catch {
    return undefined;
  }
}
