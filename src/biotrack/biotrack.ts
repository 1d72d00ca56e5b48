import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { Environment } from '../domain/environment.js';
import { linkSignals } from '../domain/linked-signal.js';
import { ANSWERS } from './answers.js';
import { Api4Client } from './api4/client.js';
import { type CircuitRules, DEFAULT_CIRCUIT } from './circuit.js';
import { Deadline } from './deadline.js';
import { type BiotrackLogin, type DialectClient, LIST_ACTIONS } from './dialect-client.js';
import { createDispatcher, type ProxySettings } from './dispatcher.js';
import { BiotrackError, isLoginRefusal } from './errors.js';
import type { BiotrackEvent } from './events.js';
import { RestClient } from './rest/client.js';
import { DEFAULT_RETRY, type RetryRules } from './retry.js';
import { type BiotrackSession, createSession, type DeadlineKind } from './session.js';
import type { BiotrackEnvironment, BiotrackState } from './states.js';
import type { ListName } from './to-listed-vendor.js';
import { Upstream } from './upstream.js';

export interface BiotrackTarget {
  readonly state: string;
  readonly environment: Environment;
}

export type LoginVerdict =
  /** `missingPrivilege`: of the list of laboratories, if that was checked. */
  | { readonly kind: 'valid'; readonly missingPrivilege?: string }
  | { readonly kind: 'rejected' }
  /** Refused for another reason than the username and password. */
  | { readonly kind: 'refused'; readonly error: BiotrackError }
  | { readonly kind: 'ubi_rejected' }
  | { readonly kind: 'privilege_missing'; readonly privilege: string };

export interface CallOptions {
  /** If it fires, the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface SessionOptions extends CallOptions {
  /** Sends a login, the first one or the one that renews an ended session. Defaults to sending it at once. */
  readonly wrapLogin?: ((send: () => Promise<string>) => Promise<string>) | undefined;
}

export interface VerifyOptions extends CallOptions {
  /** Also check the privilege to read laboratories, where the state lists them. Defaults to false. */
  readonly checksLabs?: boolean | undefined;
}

export interface Biotrack {
  readonly states: readonly BiotrackState[];
  findState(code: string): BiotrackState | undefined;
  /**
   * Logs in, then checks the privilege to read vendors. The login is repeated only if BioTrack did not process it.
   * @throws BiotrackError if BioTrack gave no verdict, for example because it is down
   */
  verifyLogin(target: BiotrackTarget, login: BiotrackLogin, options?: VerifyOptions): Promise<LoginVerdict>;
  openSession(target: BiotrackTarget, login: BiotrackLogin, options?: SessionOptions): Promise<BiotrackSession>;
  /** Closes all connections and aborts the calls in progress. */
  close(): Promise<void>;
}

export interface Timeouts {
  /** Until there is a connection. */
  readonly connectMs: number;
  /** From the request to the response headers. */
  readonly headersMs: number;
  /** For the whole list of vendors, including all pages, attempts and waits. */
  readonly listMs: number;
  /** The same for laboratories and for transporters, which the vendors wait for. */
  readonly optionalListMs: number;
  /** For a whole login, verification or `sync_check`, including all attempts and waits. */
  readonly shortMs: number;
  /** How long a verification waits for the privilege to read vendors. A slow state builds its whole list for that. */
  readonly probeMs: number;
}

/** BioTrack builds the whole list before it sends the response headers, so these can take long. */
const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 10_000,
  headersMs: 60_000,
  listMs: 300_000,
  optionalListMs: 30_000,
  shortMs: 30_000,
  probeMs: 5_000,
};

export interface BiotrackOptions {
  readonly states: readonly BiotrackState[];
  /**
   * A dispatcher for all requests, which the caller closes, or a function that creates one per origin. Defaults to a
   * connection pool per origin.
   */
  readonly dispatcher?: Dispatcher | ((origin: string) => Dispatcher) | undefined;
  /** For the default dispatchers. */
  readonly proxy?: ProxySettings | undefined;
  readonly timeouts?: Partial<Timeouts> | undefined;
  readonly retry?: Partial<RetryRules> | undefined;
  readonly circuit?: Partial<CircuitRules> | undefined;
  readonly onEvent?: ((event: BiotrackEvent) => void) | undefined;
  /** Milliseconds of a monotonic clock, for circuits. */
  readonly now?: (() => number) | undefined;
  /** Milliseconds since 1970, for a `Retry-After` that is a date. */
  readonly wallClock?: (() => number) | undefined;
  /** A number from 0 to 1, for the jitter of retries. */
  readonly random?: (() => number) | undefined;
  /** Waits between retries. Rejects when the signal fires. */
  readonly delay?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

export function createBiotrack(options: BiotrackOptions): Biotrack {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const upstreams = new Map<string, Upstream>();
  const ownDispatchers: Dispatcher[] = [];

  const openDispatcher = (origin: string): Dispatcher => {
    const { dispatcher, proxy } = options;
    if (dispatcher !== undefined && typeof dispatcher !== 'function') return dispatcher;
    const created =
      dispatcher === undefined
        ? createDispatcher(origin, { connectMs: timeouts.connectMs, proxy })
        : dispatcher(origin);
    ownDispatchers.push(created);
    return created;
  };

  const getUpstream = (origin: string): Upstream => {
    const known = upstreams.get(origin);
    if (known !== undefined) return known;
    const upstream = new Upstream({
      origin,
      dispatcher: openDispatcher(origin),
      connectMs: timeouts.connectMs,
      headersMs: timeouts.headersMs,
      circuit: { ...DEFAULT_CIRCUIT, ...options.circuit },
      retry: { ...DEFAULT_RETRY, ...options.retry },
      now: options.now ?? (() => performance.now()),
      wallClock: options.wallClock ?? Date.now,
      random: options.random ?? Math.random,
      delay: options.delay ?? delay,
      onEvent: options.onEvent ?? (() => {}),
    });
    upstreams.set(origin, upstream);
    return upstream;
  };

  const findState = (code: string): BiotrackState | undefined => options.states.find((state) => state.code === code);

  const getClient = (target: BiotrackTarget): { client: DialectClient; config: BiotrackEnvironment } => {
    const state = findState(target.state);
    const config = state?.environments[target.environment];
    if (state === undefined || config === undefined) {
      throw new BiotrackError(state?.status === 'left' ? ANSWERS.stateLeft : ANSWERS.stateNotConfigured);
    }
    const context = {
      ...target,
      config,
      licenseTypes: state.licenseTypes,
      upstream: getUpstream(new URL(config.url).origin),
    };
    return { client: config.dialect === 'rest' ? new RestClient(context) : new Api4Client(context), config };
  };

  const createWithDeadline =
    (signal: AbortSignal | undefined) =>
    async <T>(kind: DeadlineKind, work: (deadline: Deadline) => Promise<T>): Promise<T> => {
      const durations = { list: timeouts.listMs, optional_list: timeouts.optionalListMs, short: timeouts.shortMs };
      const deadline = new Deadline(durations[kind], signal);
      try {
        return await work(deadline);
      } catch (error) {
        if (error instanceof BiotrackError) throw error;
        if (signal?.aborted === true) throw signal.reason;
        throw deadline.isExceeded ? new BiotrackError(ANSWERS.deadlineExceeded) : error;
      } finally {
        deadline.close();
      }
    };

  return {
    states: options.states,
    findState,
    async verifyLogin(target, login, { signal, checksLabs = false } = {}) {
      const { client, config } = getClient(target);
      const withDeadline = createWithDeadline(signal);
      const lists: readonly ListName[] = checksLabs && config.offers.labs ? ['vendors', 'labs'] : ['vendors'];
      return await withDeadline('short', (deadline) => verifyLogin(client, login, lists, deadline, timeouts.probeMs));
    },
    async openSession(target, login, { signal, wrapLogin = (send: () => Promise<string>) => send() } = {}) {
      const { client, config } = getClient(target);
      const withDeadline = createWithDeadline(signal);
      const logIn = (): Promise<string> =>
        wrapLogin(() => withDeadline('short', (deadline) => client.login(login, deadline)));
      const onRenewed = (): void => options.onEvent?.({ kind: 'session_renewed', ...target });
      const session = await logIn();
      return createSession({ client, login, logIn, offers: config.offers, withDeadline, onRenewed }, session);
    },
    async close() {
      await Promise.all(ownDispatchers.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * After the login, reads each list beyond every transaction number: that needs the privilege but returns no rows, so it
 * costs most states almost nothing. If such a call takes too long or fails for another reason, the login is still valid,
 * and a missing privilege is found by the first sync.
 */
async function verifyLogin(
  client: DialectClient,
  login: BiotrackLogin,
  lists: readonly ListName[],
  deadline: Deadline,
  probeMs: number,
): Promise<LoginVerdict> {
  try {
    const session = await client.login(login, deadline);
    for (const list of lists) {
      const privilege = await findMissingPrivilege(client, list, { login, session, deadline, probeMs });
      if (privilege === undefined) continue;
      return list === 'vendors'
        ? { kind: 'privilege_missing', privilege }
        : { kind: 'valid', missingPrivilege: privilege };
    }
    return { kind: 'valid' };
  } catch (error) {
    if (!(error instanceof BiotrackError)) throw error;
    if (error.reason === 'credentials_rejected') return { kind: 'rejected' };
    if (error.reason === 'login_refused') return { kind: 'refused', error };
    if (error.reason === 'ubi_rejected') return { kind: 'ubi_rejected' };
    throw error;
  }
}

interface Probe {
  readonly login: BiotrackLogin;
  readonly session: string;
  readonly deadline: Deadline;
  readonly probeMs: number;
}

/** @throws BiotrackError if the call says that the login itself is refused */
async function findMissingPrivilege(
  client: DialectClient,
  list: ListName,
  { login, session, deadline, probeMs }: Probe,
): Promise<string | undefined> {
  // Canceled like by a caller, so that a slow answer does not count as an outage.
  const limit = linkSignals([deadline.signal], probeMs);
  const probeDeadline = new Deadline(deadline.remainingMs, limit.signal);
  try {
    await client.probeList(list, login, session, probeDeadline);
    return undefined;
  } catch (error) {
    if (limit.isTimedOut || deadline.isExceeded) return undefined;
    if (!(error instanceof BiotrackError) || isLoginRefusal(error.reason)) throw error;
    return error.reason === 'privilege_missing' ? (error.privilege ?? LIST_ACTIONS[list]) : undefined;
  } finally {
    probeDeadline.close();
    limit.dispose();
  }
}

const delay = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });
