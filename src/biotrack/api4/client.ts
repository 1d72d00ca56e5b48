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
import { readMember, toObject, type WireObject } from '../document.js';
import { BiotrackError } from '../errors.js';
import { type ListedRow, toListedRow, toVendorList, type VendorList } from '../list.js';
import { parseTransactionId } from '../row-values.js';
import type { RowReading } from '../rows.js';
import type { ListName } from '../to-listed-vendor.js';
import { TROUBLE_CLASSES } from '../troubles.js';
import type { Reading } from '../upstream.js';
import { fromApi4Vendor } from './to-vendor.js';

/** The member that holds the rows (seen in public adapters). */
const LIST_MEMBERS = { vendors: 'vendor', labs: 'qa_lab', transporters: 'third_party_transporter' } as const;

/** "API 4.0": one address, POST only, the action in the body, and errors in HTTP 200 (seen in public adapters). */
export class Api4Client implements DialectClient {
  readonly #place: DialectContext;
  readonly #path: string;

  constructor(place: DialectContext) {
    const { pathname } = new URL(place.config.url);
    this.#place = place;
    this.#path = pathname === '/' ? '/serverjson.asp' : pathname;
  }

  async login(login: BiotrackLogin, deadline: Deadline): Promise<string> {
    const credentials = { license_number: login.ubi, username: login.username, password: login.password.reveal() };
    const answer = await this.#call('login', credentials, login, deadline);
    const session = readMember(answer, 'sessionid');
    if (typeof session === 'string' && session.trim() !== '' && session.length <= 4_096) return session;
    throw new BiotrackError(TROUBLE_CLASSES.noAnswer, { action: 'login' });
  }

  async probeVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<void> {
    const bound = { transaction_start: BEYOND_ALL_TRANSACTIONS };
    await this.#call('sync_vendor', { sessionid: session, ...bound }, login, deadline);
  }

  /** The whole list: there is no paging, and without bounds no row is left out. */
  async fetchList(list: ListName, login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorList> {
    const action = LIST_ACTIONS[list];
    const member = LIST_MEMBERS[list];
    const map = (row: unknown): ListedRow =>
      toListedRow(fromApi4Vendor(row, list, this.#place.licenseTypes), () =>
        readMember(toObject(row) ?? {}, 'transactionid'),
      );
    const answer = await this.#call(action, { sessionid: session }, login, deadline, { member, map });
    const rows = readMember(answer, member);
    // The member is missing when there is nothing, and also when something broke: an absent list is no empty list.
    if (rows === undefined || rows === null) throw new BiotrackError(TROUBLE_CLASSES.listMissing, { action });
    if (!Array.isArray(rows)) throw new BiotrackError(TROUBLE_CLASSES.listNoArray, { action });
    return toVendorList(rows as ListedRow[], { action, mayBeEmpty: list !== 'vendors' });
  }

  /** `sum` is of the transaction numbers at or above `transaction_start` (inferred from public adapters). */
  async checkVendors(login: BiotrackLogin, session: string, deadline: Deadline): Promise<VendorCheck> {
    const question = { download: 0, data: [{ table: 'vendor', transaction_start: 0 }] };
    const answer = await this.#call('sync_check', { sessionid: session, ...question }, login, deadline);
    const summary = readMember(answer, 'summary');
    const entries = Array.isArray(summary) ? summary.map((entry) => toObject(entry) ?? {}) : [];
    const vendors = entries.find((entry) => readMember(entry, 'table') === 'vendor');
    return { sum: vendors === undefined ? undefined : toSum(readMember(vendors, 'sum')) };
  }

  #call(
    action: Action,
    members: Readonly<Record<string, unknown>>,
    login: BiotrackLogin,
    deadline: Deadline,
    rows?: RowReading,
  ): Promise<WireObject> {
    const { state, environment, config, upstream } = this.#place;
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
        read: readAnswer,
        rows,
      },
      deadline,
    );
  }
}

/** `success` is 1 or 0, as a number or a text; `error` and `errorcode` may be absent (seen in public adapters). */
function readAnswer(object: WireObject): Reading {
  const success = readMember(object, 'success');
  if (success === 1 || success === '1' || success === true) return { kind: 'accepted' };
  const text = readMember(object, 'error');
  const code = readMember(object, 'errorcode');
  const isRefused = success === 0 || success === '0' || success === false;
  if (!isRefused && !isSaid(text) && !isSaid(code)) return { kind: 'unclear' };
  return {
    kind: 'refused',
    text: isSaid(text) ? String(text) : undefined,
    code: isSaid(code) ? String(code).trim() : undefined,
  };
}

const isSaid = (value: unknown): value is string | number =>
  typeof value === 'number' || (typeof value === 'string' && value.trim() !== '');

function toSum(value: unknown): string | undefined {
  try {
    return parseTransactionId(value) ?? undefined;
  } catch {
    return undefined;
  }
}
