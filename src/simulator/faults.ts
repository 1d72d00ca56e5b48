import { CommandError } from './command-error.js';
import type { RefusalName } from './refusals.js';
import { isListAction } from './row.js';

/**
 * All faults, and what each changes:
 * - `connection`: the connection is reset before there is a call;
 * - `response`: the call is not processed, and another response is sent, or none;
 * - `list`: the call is processed with a changed list;
 * - `delivery`: the call is processed, and the response is damaged on its way.
 */
export const SIMULATOR_FAULTS = {
  reset_at_connect: 'connection',
  hang: 'response',
  reset_in_headers: 'response',
  invalid_http: 'response',
  empty_body: 'response',
  html: 'response',
  json_null: 'response',
  json_array: 'response',
  raw_body: 'response',
  throttled: 'response',
  server_error: 'response',
  redirect: 'response',
  code_602: 'response',
  code_1000: 'response',
  error_response: 'response',
  invalid_license_number: 'response',
  session_expired: 'response',
  echo_password: 'response',
  huge_body: 'response',
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
  /** The delay before the first byte (`slow_first_byte`), or before the connection is closed (`hang`; default: never). */
  readonly delayMs?: number;
  /** The length of the body that is sent (`cut_body`, `cut_body_without_length`, `reset_in_body`; default: half). */
  readonly cutAt?: number;
  /** Bytes per write (`drip`, default 1), before the reset (`reset_in_headers`, 0), or in total (`huge_body`, 160 MiB). */
  readonly bytes?: number;
  /** Time between two writes of `drip`. Defaults to 50. */
  readonly intervalMs?: number;
  /** Defaults to 200 (`html`, `raw_body`), 302 (`redirect`), 429 (`throttled`) or 503 (`server_error`). */
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** The literal value of `Retry-After`, for example a date or an invalid value. */
  readonly retryAfter?: string;
  /** The target of `redirect`. Defaults to `/redirected`, where followed redirects are counted. */
  readonly location?: string;
  /** `wrong_charset`: the actual encoding of the body. Defaults to `utf16le`. */
  readonly charset?: 'utf16le' | 'latin1' | 'utf8_with_bom';
  /** `error_response`: one of the known refusals. Defaults to a refusal without text and code. */
  readonly refusal?: RefusalName;
  /** The error text of the faults that are refusals. Null omits it. */
  readonly error?: string | null;
  /** The code of the faults that are refusals. Null omits it. `session_expired`: 63 (default) or 60. */
  readonly errorcode?: number | string | null;
  /** The whole body (`raw_body`) or the header line (`leaked_header`). */
  readonly text?: string;
  readonly contentType?: string;
  /** `huge_body`: send a `Content-Length`. Defaults to false. */
  readonly withLength?: boolean;
  /** `shrunk_list`: the number of rows in the list. Defaults to half. */
  readonly keep?: number;
  /** `invalid_rows`: the percentage of rows without a license number. Defaults to 20. */
  readonly percent?: number;
}

export interface FaultRule extends FaultParameters {
  readonly fault: FaultName;
  /** Limits the fault to calls of this action (`login`, `sync_vendor`, …). Defaults to all calls. */
  readonly action?: string;
  /** Limits the fault to calls that contain this username: logins, and calls with `nosession:1`. */
  readonly username?: string;
  /** The first matching call that is affected. Defaults to 1, the next one. */
  readonly from?: number;
  /** How many calls are affected. Defaults to 1; 0 means until cleared. */
  readonly times?: number;
}

/** What decides whether a call is affected. */
export interface FaultTarget {
  readonly action: string;
  readonly username: unknown;
}

export interface FaultStatus extends FaultRule {
  readonly id: number;
  readonly seen: number;
  readonly fired: number;
}

interface PendingFault {
  readonly id: number;
  readonly rule: FaultRule;
  seen: number;
  fired: number;
}

/** The injected faults that are not used up. */
export class Faults {
  #pending: PendingFault[] = [];
  #lastId = 0;

  inject(rule: FaultRule): number {
    if (!(rule.fault in SIMULATOR_FAULTS)) throw new CommandError(`fault ${rule.fault} does not exist`);
    this.#lastId += 1;
    this.#pending.push({ id: this.#lastId, rule, seen: 0, fired: 0 });
    return this.#lastId;
  }

  /** The fault for this call. If several are due, the one injected first is used and the others wait for a later call. */
  claim(call: FaultTarget): FaultRule | undefined {
    return this.#claim((rule) => SIMULATOR_FAULTS[rule.fault] !== 'connection' && matches(rule, call));
  }

  claimAtConnect(): FaultRule | undefined {
    return this.#claim((rule) => SIMULATOR_FAULTS[rule.fault] === 'connection');
  }

  list(): readonly FaultStatus[] {
    return this.#pending.map(({ id, rule, seen, fired }) => ({ ...rule, id, seen, fired }));
  }

  clear(id?: number): number {
    const before = this.#pending.length;
    this.#pending = id === undefined ? [] : this.#pending.filter((pending) => pending.id !== id);
    return before - this.#pending.length;
  }

  #claim(isMatch: (rule: FaultRule) => boolean): FaultRule | undefined {
    const matching = this.#pending.filter(({ rule }) => isMatch(rule));
    for (const pending of matching) pending.seen += 1;
    const due = matching.find((pending) => pending.seen >= (pending.rule.from ?? 1));
    if (due === undefined) return undefined;
    due.fired += 1;
    const times = due.rule.times ?? 1;
    if (times > 0 && due.fired >= times) this.#pending = this.#pending.filter((pending) => pending !== due);
    return due.rule;
  }
}

/** Faults of the list apply to calls that return it, by default to those of vendors. Other calls do not use them up. */
const matches = (rule: FaultRule, { action, username }: FaultTarget): boolean => {
  const isOfList = SIMULATOR_FAULTS[rule.fault] === 'list';
  const expected = rule.action ?? (isOfList ? 'sync_vendor' : action);
  return (
    expected === action &&
    (!isOfList || isListAction(action)) &&
    (rule.username === undefined || rule.username === username)
  );
};
