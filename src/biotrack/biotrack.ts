import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import type { Environment } from '../domain/environment.js';
import { Api4Client } from './api4/client.js';
import { type CircuitRules, DEFAULT_CIRCUIT } from './circuit.js';
import { Deadline } from './deadline.js';
import type { BiotrackLogin, DialectClient } from './dialect-client.js';
import { BiotrackError } from './errors.js';
import type { BiotrackEvent } from './events.js';
import { RestClient } from './rest/client.js';
import { DEFAULT_RETRY, type RetryRules } from './retry.js';
import { type BiotrackSession, createSession } from './session.js';
import type { BiotrackEnvironment, BiotrackState } from './states.js';
import { TROUBLE_CLASSES } from './troubles.js';
import { Upstream } from './upstream.js';

export interface BiotrackTarget {
  readonly state: string;
  readonly environment: Environment;
}

export type LoginVerdict =
  | { readonly kind: 'valid' }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'ubi_rejected' }
  | { readonly kind: 'privilege_missing'; readonly privilege: string };

export interface CallOptions {
  /** Whoever aborts it gets the signal's own reason thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface Biotrack {
  readonly states: readonly BiotrackState[];
  findState(code: string): BiotrackState | undefined;
  /** One login. Trouble at BioTrack is thrown as a BiotrackError, and is never a verdict. */
  verifyLogin(target: BiotrackTarget, login: BiotrackLogin, options?: CallOptions): Promise<LoginVerdict>;
  openSession(target: BiotrackTarget, login: BiotrackLogin, options?: CallOptions): Promise<BiotrackSession>;
  /** Ends all connections, and what is under way on them. */
  close(): Promise<void>;
}

export interface Timeouts {
  /** Until there is a connection. */
  readonly connectMs: number;
  /** From the request to the head of the answer. */
  readonly headMs: number;
  /** For a whole list: all pages, attempts and waits. */
  readonly listMs: number;
  /** For a whole login, verification or check. */
  readonly shortMs: number;
}

/** A state writes its whole list before the first byte of it comes: the head may take a while. */
const DEFAULT_TIMEOUTS: Timeouts = { connectMs: 10_000, headMs: 60_000, listMs: 300_000, shortMs: 30_000 };

export interface BiotrackOptions {
  readonly states: readonly BiotrackState[];
  /** What carries the requests: a dispatcher, which stays the caller's, or a maker of one for each origin. */
  readonly dispatcher?: Dispatcher | ((origin: string) => Dispatcher) | undefined;
  readonly timeouts?: Partial<Timeouts> | undefined;
  readonly retry?: Partial<RetryRules> | undefined;
  readonly circuit?: Partial<CircuitRules> | undefined;
  readonly onEvent?: ((event: BiotrackEvent) => void) | undefined;
  /** The wall clock, for circuits and `Retry-After`. */
  readonly now?: (() => number) | undefined;
  /** From 0 to 1, for the jitter of retries. */
  readonly random?: (() => number) | undefined;
  /** Waits between retries; rejects when the signal fires. */
  readonly delay?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** Connections to one host. What is more waits for one to be free, within the connect deadline. */
const CONNECTIONS = 32;

export function createBiotrack(options: BiotrackOptions): Biotrack {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const upstreams = new Map<string, Upstream>();
  const owned: Dispatcher[] = [];

  const openDispatcher = (origin: string): Dispatcher => {
    const given = options.dispatcher;
    if (given !== undefined && typeof given !== 'function') return given;
    const made = given === undefined ? createPool(origin, timeouts) : given(origin);
    owned.push(made);
    return made;
  };

  const findUpstream = (origin: string): Upstream => {
    const known = upstreams.get(origin);
    if (known !== undefined) return known;
    const upstream = new Upstream({
      origin,
      dispatcher: openDispatcher(origin),
      connectMs: timeouts.connectMs,
      headMs: timeouts.headMs,
      circuit: { ...DEFAULT_CIRCUIT, ...options.circuit },
      retry: { ...DEFAULT_RETRY, ...options.retry },
      now: options.now ?? Date.now,
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
      throw new BiotrackError(state?.status === 'left' ? TROUBLE_CLASSES.stateLeft : TROUBLE_CLASSES.noAddress);
    }
    const place = {
      ...target,
      config,
      licenseTypes: state.licenseTypes,
      upstream: findUpstream(new URL(config.url).origin),
    };
    return { client: config.dialect === 'rest' ? new RestClient(place) : new Api4Client(place), config };
  };

  const underDeadline =
    (signal: AbortSignal | undefined) =>
    async <T>(kind: 'list' | 'short', work: (deadline: Deadline) => Promise<T>): Promise<T> => {
      const deadline = new Deadline(kind === 'list' ? timeouts.listMs : timeouts.shortMs, signal);
      try {
        return await work(deadline);
      } catch (error) {
        if (error instanceof BiotrackError) throw error;
        if (signal?.aborted === true) throw signal.reason;
        throw deadline.isTimeUp ? new BiotrackError(TROUBLE_CLASSES.tooSlow) : error;
      } finally {
        deadline.close();
      }
    };

  return {
    states: options.states,
    findState,
    async verifyLogin(target, login, { signal } = {}) {
      const { client } = getClient(target);
      return await underDeadline(signal)('short', (deadline) => verifyLogin(client, login, deadline));
    },
    async openSession(target, login, { signal } = {}) {
      const { client, config } = getClient(target);
      const withDeadline = underDeadline(signal);
      const session = await withDeadline('short', (deadline) => client.login(login, deadline));
      const onRenewed = (): void => options.onEvent?.({ kind: 'session_renewed', ...target });
      return createSession({ client, login, offers: config.offers, withDeadline, onRenewed }, session);
    },
    async close() {
      await Promise.all(owned.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * A login, and then a read beyond any transaction number: it needs the privilege to read vendors and has nothing to
 * answer, so that it costs BioTrack next to nothing. If this second call meets trouble, the login is known to be valid
 * all the same, and is called so; a privilege that is really missing shows at the first sync.
 */
async function verifyLogin(client: DialectClient, login: BiotrackLogin, deadline: Deadline): Promise<LoginVerdict> {
  try {
    const session = await client.login(login, deadline);
    try {
      await client.probeVendors(login, session, deadline);
    } catch (error) {
      if (error instanceof BiotrackError && !VERDICTS.has(error.reason)) return { kind: 'valid' };
      throw error;
    }
    return { kind: 'valid' };
  } catch (error) {
    if (!(error instanceof BiotrackError)) throw error;
    if (error.reason === 'credentials_rejected') return { kind: 'rejected' };
    if (error.reason === 'ubi_rejected') return { kind: 'ubi_rejected' };
    if (error.reason !== 'privilege_missing') throw error;
    return { kind: 'privilege_missing', privilege: error.privilege ?? 'sync_vendor' };
  }
}

const VERDICTS: ReadonlySet<string> = new Set(['credentials_rejected', 'ubi_rejected', 'privilege_missing']);

/** undici's own time-outs are the second line: ours are exact, these clear up what ours gave up. */
const createPool = (origin: string, { connectMs }: Timeouts): Dispatcher =>
  new Pool(origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    connect: { timeout: connectMs },
    headersTimeout: 0,
    bodyTimeout: 0,
  });

const delay = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });
