import { CommandRefused } from './command-refused.js';

/**
 * Faults by name, and where in a call they strike:
 * - `connection`: before there is a call at all;
 * - `instead`: the state is not asked, something else is answered (or nothing);
 * - `list`: the state answers, with a list that is not the list;
 * - `delivery`: the state answers properly, and the answer is harmed on its way.
 */
export const SIMULATOR_FAULTS = {
  reset_at_connect: 'connection',
  hang: 'instead',
  reset_at_head: 'instead',
  garbage_head: 'instead',
  empty_body: 'instead',
  html: 'instead',
  json_null: 'instead',
  json_array: 'instead',
  raw_body: 'instead',
  throttled: 'instead',
  server_error: 'instead',
  redirect: 'instead',
  code_602: 'instead',
  code_1000: 'instead',
  error_answer: 'instead',
  invalid_license_number: 'instead',
  session_expired: 'instead',
  echo_password: 'instead',
  huge_body: 'instead',
  shrunk_list: 'list',
  missing_list: 'list',
  invalid_rows: 'list',
  slow_first_byte: 'delivery',
  drip: 'delivery',
  reset_in_body: 'delivery',
  cut_body: 'delivery',
  cut_body_without_length: 'delivery',
  two_documents: 'delivery',
  leaked_header: 'delivery',
  wrong_charset: 'delivery',
} as const;

export type FaultName = keyof typeof SIMULATOR_FAULTS;
export const FAULT_NAMES = Object.keys(SIMULATOR_FAULTS) as readonly FaultName[];

export interface FaultParameters {
  /** How long: before the first byte (`slow_first_byte`), or until a hanging call is hung up (`hang`; absent = never). */
  readonly delayMs?: number;
  /** The byte of the body at which it ends (`cut_body`, `cut_body_without_length`, `reset_in_body`; absent = the middle). */
  readonly cutAt?: number;
  /** Of a `drip` at a time (1), of the head before `reset_at_head` (0), or in all (`huge_body`, 160 MiB). */
  readonly bytes?: number;
  /** Between two drips (50). */
  readonly intervalMs?: number;
  /** HTTP status (`html` 200, `throttled` 429, `server_error` 503, `redirect` 302, `raw_body` 200). */
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** `Retry-After` as it stands, for instance an HTTP date or nonsense. */
  readonly retryAfter?: string;
  /** Where a `redirect` points (`/redirected`, which counts who follows). */
  readonly location?: string;
  /** `wrong_charset`: what the bytes are in, whatever the header says (utf16le). */
  readonly charset?: 'utf16le' | 'latin1' | 'utf8_with_mark';
  /** `error_answer`, `code_602`, `code_1000`: the text; null leaves it out. */
  readonly error?: string | null;
  /** `error_answer`: the code; null leaves it out. `session_expired`: 63, or 60. */
  readonly errorcode?: number | string | null;
  /** `raw_body`: the text that is answered. `leaked_header`: the line that leaks. */
  readonly text?: string;
  readonly contentType?: string;
  /** `huge_body`: announce the length, instead of letting the client find out. */
  readonly withLength?: boolean;
  /** `shrunk_list`: so many rows are left (absent = half of them). */
  readonly keep?: number;
  /** `invalid_rows`: so many of a hundred rows have no license number (20). */
  readonly percent?: number;
}

export interface FaultOrder extends FaultParameters {
  readonly fault: FaultName;
  /** Only calls of this action (`login`, `sync_vendor`, …); absent = every call. */
  readonly action?: string;
  /** The first call that it strikes, counted from now: 1 is the next one. */
  readonly from?: number;
  /** How many calls it strikes; 0 = until it is cleared. */
  readonly times?: number;
}

export interface FaultStatus extends FaultOrder {
  readonly id: number;
  readonly seen: number;
  readonly fired: number;
}

interface Pending {
  readonly id: number;
  readonly order: FaultOrder;
  seen: number;
  fired: number;
}

/** The faults that wait for their call. */
export class Faults {
  #pending: Pending[] = [];
  #lastId = 0;

  inject(order: FaultOrder): number {
    if (!(order.fault in SIMULATOR_FAULTS)) throw new CommandRefused(`there is no fault ${order.fault}`);
    this.#lastId += 1;
    this.#pending.push({ id: this.#lastId, order, seen: 0, fired: 0 });
    return this.#lastId;
  }

  /**
   * The fault of this call, if one is due. Each waiting fault counts the call; when several are due the one that was
   * ordered first strikes, and the others strike at later calls.
   */
  take(action: string): FaultOrder | undefined {
    return this.#take((order) => SIMULATOR_FAULTS[order.fault] !== 'connection' && matches(order, action));
  }

  takeAtConnect(): FaultOrder | undefined {
    return this.#take((order) => SIMULATOR_FAULTS[order.fault] === 'connection');
  }

  list(): readonly FaultStatus[] {
    return this.#pending.map(({ id, order, seen, fired }) => ({ ...order, id, seen, fired }));
  }

  clear(id?: number): number {
    const before = this.#pending.length;
    this.#pending = id === undefined ? [] : this.#pending.filter((pending) => pending.id !== id);
    return before - this.#pending.length;
  }

  #take(isMeant: (order: FaultOrder) => boolean): FaultOrder | undefined {
    const meant = this.#pending.filter(({ order }) => isMeant(order));
    for (const pending of meant) pending.seen += 1;
    const due = meant.find((pending) => pending.seen >= (pending.order.from ?? 1));
    if (due === undefined) return undefined;
    due.fired += 1;
    const times = due.order.times ?? 1;
    if (times > 0 && due.fired >= times) this.#pending = this.#pending.filter((pending) => pending !== due);
    return due.order;
  }
}

/** A harmed list is one that was asked for: such a fault does not spend itself on a login. */
const matches = (order: FaultOrder, action: string): boolean =>
  (order.action === undefined || order.action === action) &&
  (SIMULATOR_FAULTS[order.fault] !== 'list' || action === 'sync_vendor');
