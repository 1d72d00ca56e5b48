import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import pg from 'pg';
import type t from 'tap';
import { type Dispatcher, request } from 'undici';
import { parseStates } from '../../src/biotrack/index.js';
import type { Config } from '../../src/config.js';
import { Secret } from '../../src/domain/secret.js';
import type { TokenOptions } from '../../src/http/tokens.js';

import { createApiKey } from '../../src/modules/api-keys/index.js';
import { type Service, type ServiceOptions, startService } from '../../src/service.js';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.js';
import { createLogger } from '../../src/telemetry/index.js';
import { createKeysetFile, parseKeyset } from '../../src/vault/index.js';
import { type Contract, createContract } from './contract.js';
import { pickPort } from './free-port.js';
import { createHost, type TokenUser } from './host.js';
import { findBrokenInvariants } from './invariants.js';
import { createTestDatabase } from './postgres.js';

/** A response as a client sees it. */
export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body, or its text if it is not JSON; undefined for none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into bodies of every shape, and asserts what it finds.
  readonly body: any;
}

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly rawBody?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Defaults to the operator's key; `null` sends none. */
  readonly key?: string | null;
  /** Accepts a 500. */
  readonly expectsInternal?: boolean;
}

/** A proxy between the service and its database. */
export interface LogLine {
  readonly url: string;
  /** Ends open connections and refuses new ones. */
  cut(): Promise<void>;
  /** Keeps connections open without forwarding anything. */
  hang(): void;
  /** As `hang`, for the connections that are open now. New ones work. */
  strand(): void;
  /** Forwards `after` more commits; the response to the next one is lost with its connection. */
  loseCommit(after?: number): void;
  /** Whether that has happened. */
  readonly hasLostCommit: boolean;
  /** Ends what the methods above do. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** The service on a real Postgres, with real sockets and the simulator as BioTrack. */
export interface TestService {
  readonly baseUrl: string;
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly service: Service;
  readonly simulator: Simulator;
  /** A token of the host application, for `key`. */
  tokenOf(user: TokenUser): string;
  readonly keysetFile: string;
  /** Everything that was logged, as text. */
  readonly logged: () => string;
  /** Validates every response of `ask` against the OpenAPI document. */
  readonly contract: Contract;
  /** Of a service with `hasLine`. */
  readonly line: LogLine;
  /** Queries the database as its owner, without row-level security. */
  sql<Row extends pg.QueryResultRow>(text: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** Stops the service before the end of the file. */
  stop(): Promise<void>;
  ask(method: string, path: string, options?: Ask): Promise<TestResponse>;
  newId(): string;
}

export interface TestServiceOptions {
  readonly simulator?: SimulatorOptions;
  readonly role?: 'all' | 'api' | 'worker';
  readonly directoryMaxAgeSeconds?: number;
  readonly syncIntervalSeconds?: number;
  readonly metricsPort?: number;
  readonly databasePoolSize?: number;
  /** Of one caller. Defaults to more than any test sends. */
  readonly rateLimits?: Partial<Config['rateLimits']>;
  readonly trustProxy?: Config['trustProxy'];
  /** Default: none. */
  readonly corsOrigins?: Config['corsOrigins'];
  /** Base of links. Default: the address of the service. */
  readonly publicUrl?: string;
  readonly forcedRefreshSeconds?: number;
  /** Less patience with BioTrack than usual. */
  readonly timing?: ServiceOptions['timing'];
  /** A second process on the database, simulator and keys of this one. */
  readonly beside?: Pick<TestService, 'databaseUrl' | 'simulator' | 'keysetFile'>;
  readonly largePlanLicenses?: number;
  /** Puts a proxy between service and database: see `line`. */
  readonly hasLine?: boolean;
  /** Puts a pooler between service and database, and returns its URL. The queue connects directly. */
  readonly pooler?: (databaseUrl: string) => Promise<string>;
  /** Accepts the tokens of another host application than that of `tokenOf`. */
  readonly tokens?: TokenOptions;
  /** The states file, with the environment of the simulator. Defaults to NM alone. */
  readonly states?: (environment: Readonly<Record<string, unknown>>) => unknown;
}

/** One host application for all services. */
const HOST = createHost();

/** Starts the service. Stops it at the end of the file or test, where it asserts the invariants of the database. */
export async function startTestService(
  tap: Pick<typeof t, 'teardown'>,
  options: TestServiceOptions = {},
): Promise<TestService> {
  const { beside } = options;
  const simulator = beside?.simulator ?? (await startSimulator({ state: 'nm', licenses: 200, ...options.simulator }));
  const database = beside === undefined ? await createTestDatabase() : undefined;
  const databaseUrl = beside?.databaseUrl ?? (database?.url as string);
  const line = options.hasLine === true ? await openLine(databaseUrl) : undefined;
  const port = await pickPort();
  const baseUrl = `http://127.0.0.1:${port}`;
  const lines: string[] = [];
  const directUrl = new Secret(line?.url ?? databaseUrl);
  const url = options.pooler === undefined ? directUrl : new Secret(await options.pooler(databaseUrl));
  const keysetFile = beside?.keysetFile ?? createKeysetFile('test');
  const environment = { dialect: 'api4', url: simulator.url, origin_id: 'test' };
  const toStates = options.states ?? ((both) => ({ NM: { environments: { production: both, training: both } } }));
  const service = await startService({
    config: {
      host: '127.0.0.1',
      port,
      metricsPort: options.metricsPort ?? 0,
      databasePoolSize: options.databasePoolSize ?? 10,
      role: options.role ?? 'all',
      directoryMaxAgeSeconds: options.directoryMaxAgeSeconds ?? 600,
      guardRemovalPercent: 10,
      retention: { runsDays: 90, previewsHours: 24, changesDays: 400, auditDays: 730 },
      syncIntervalSeconds: options.syncIntervalSeconds ?? 3_600,
      rateLimits: { perMinute: 1_000_000, unauthenticatedPerMinute: 1_000_000, ...options.rateLimits },
      trustProxy: options.trustProxy ?? false,
      corsOrigins: options.corsOrigins ?? [],
      forcedRefreshSeconds: options.forcedRefreshSeconds ?? 0,
      listCacheMegabytes: 8,
    },
    publicUrl: options.publicUrl ?? baseUrl,
    databaseUrl: url,
    databaseDirectUrl: directUrl,
    states: parseStates(toStates(environment)),
    keyset: parseKeyset(keysetFile),
    tokens: options.tokens ?? HOST.tokens,
    largePlanLicenses: options.largePlanLicenses,
    // Runs are not retried, except in tests of retries.
    timing: { runs: { attempts: 1, baseSeconds: 0, maxSeconds: 0 }, ...options.timing },
    logger: createLogger('info', { write: (text: string) => lines.push(text) }),
  });
  const owner = new pg.Pool({ connectionString: databaseUrl, max: 2, application_name: 'test owner' });
  // Some tests crash Postgres.
  owner.on('error', () => {});
  owner.on('connect', (client) => client.on('error', () => {}));
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= service.stop();
    return stopping;
  };
  tap.teardown(async () => {
    // Once for each database: second processes have been stopped before.
    const broken = database === undefined ? [] : await findBrokenInvariants(owner);
    if (database !== undefined) broken.push(...(await findUnaudited(owner, contract)));
    await stop();
    if (database !== undefined) await waitUntilAlone(owner);
    await owner.end();
    await line?.close();
    if (beside === undefined) await simulator.close();
    await database?.drop();
    if (broken.length > 0) throw new Error(`broken invariants:\n${broken.join('\n')}`);
  });
  const key = await createApiKey(service.db, service.newId, {
    description: 'test',
    role: 'operator',
    tenantId: undefined,
  });
  const operatorKey = key.secret.reveal();
  const contract = options.role === 'worker' ? undefined : await readContract(baseUrl);
  return {
    baseUrl,
    databaseUrl,
    operatorKey,
    service,
    simulator,
    keysetFile,
    logged: () => lines.join(''),
    newId: service.newId,
    tokenOf: HOST.tokenOf,
    stop,
    get contract() {
      if (contract === undefined) throw new Error('a worker has no API');
      return contract;
    },
    get line() {
      if (line === undefined) throw new Error('this service was not started with a line');
      return line;
    },
    async sql(text, parameters = []) {
      return (await owner.query(text, [...parameters])).rows;
    },
    async ask(method, path, ask = {}) {
      const answer = await sendRequest(baseUrl, operatorKey, method, path, ask);
      contract?.check(method, path, answer, ask.expectsInternal ?? false);
      return answer;
    },
  };
}

/**
 * These also succeed without a change: a run that is joined, a schedule that is not paused, rows that all fail, a document
 * that is current or only validated, a login that an outage leaves unverified.
 */
const MAY_CHANGE_NOTHING = ['startSync', 'resumeSchedule', 'createLicenses', 'putConfiguration', 'verifyCredential'];

/** Operations that changed something and wrote no audit row. The rows of a deleted tenant are deleted with it. */
async function findUnaudited(owner: pg.Pool, contract: Contract | undefined): Promise<string[]> {
  const { rows } = await owner.query<{ id: string }>(
    'select operation_id as id from audit union select operation_id from operator_audit',
  );
  const audited = new Set(rows.map(({ id }) => id));
  const present = await owner.query<{ id: string }>('select tenant_id::text as id from tenants');
  const here = new Set<string | undefined>([undefined, ...present.rows.map(({ id }) => id)]);
  return (contract?.listChanging() ?? [])
    .filter(
      ([id, tenants]) =>
        !audited.has(id) && !MAY_CHANGE_NOTHING.includes(id) && [...tenants].some((tenant) => here.has(tenant)),
    )
    .map(([id]) => `${id} wrote no audit row`);
}

/** The queue's connections end shortly after it has stopped, and must not be cut before. */
async function waitUntilAlone(owner: pg.Pool): Promise<void> {
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    const { rows } = await owner.query<{ others: number }>(
      `select count(*)::int as others from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
          and application_name <> 'test owner'`,
    );
    if (rows[0]?.others === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function readContract(baseUrl: string): Promise<Contract> {
  const response = await fetch(new URL('/openapi/v1.json', baseUrl));
  return createContract((await response.json()) as Record<string, unknown>);
}

/** The statement on the wire. */
const COMMIT = Buffer.from('commit\0');

async function openLine(databaseUrl: string): Promise<LogLine> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let hangs = false;
  const stranded = new WeakSet<Socket>();
  let commitsLeft = Number.POSITIVE_INFINITY;
  let hasLost = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    let isLosing = false;
    near.on('data', (chunk) => {
      if (!chunk.includes(COMMIT) || commitsLeft === Number.POSITIVE_INFINITY) return;
      isLosing = commitsLeft === 0;
      commitsLeft = isLosing ? Number.POSITIVE_INFINITY : commitsLeft - 1;
    });
    far.on('data', () => {
      if (!isLosing) return;
      hasLost = true;
      near.destroy();
      far.destroy();
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on('data', (chunk) => {
        if (!hangs && !stranded.has(from) && !to.destroyed) to.write(chunk);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: url.href,
    cut,
    hang() {
      hangs = true;
    },
    strand() {
      for (const socket of sockets) stranded.add(socket);
    },
    loseCommit(after = 0) {
      commitsLeft = after;
      hasLost = false;
    },
    get hasLostCommit() {
      return hasLost;
    },
    async restore() {
      // Data was dropped, so these connections cannot be used any more.
      if (hangs) for (const socket of sockets) socket.destroy();
      hangs = false;
      if (server.listening) return;
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    close: cut,
  };
}

export async function sendRequest(
  baseUrl: string,
  operatorKey: string,
  method: string,
  path: string,
  ask: Ask,
): Promise<TestResponse> {
  const { body, rawBody, headers, key = operatorKey } = ask;
  const hasBody = body !== undefined || rawBody !== undefined;
  // Not `fetch`, which takes twice the processor time.
  const response = await request(new URL(path, baseUrl), {
    method: method as Dispatcher.HttpMethod,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: rawBody ?? (body === undefined ? null : JSON.stringify(body)),
  });
  const text = await response.body.text();
  const received = new Headers();
  for (const [name, value] of Object.entries(response.headers))
    for (const each of [value ?? []].flat()) received.append(name, each);
  const isJson = (received.get('content-type') ?? '').includes('json');
  return {
    status: response.statusCode,
    headers: received,
    body: text === '' ? undefined : isJson ? JSON.parse(text) : text,
  };
}

export const FIRST_PUT = { 'if-none-match': '*' };

/** Creates a tenant through the API, with the steps of its setup up to `upTo`. */
export async function makeTenant(
  { ask, newId, simulator }: Pick<TestService, 'ask' | 'newId' | 'simulator'>,
  upTo: 'tenant' | 'ubi' | 'preference' | 'credential' = 'credential',
  strategy: 'one_per_license' | 'one_per_vendor' = 'one_per_license',
  environment: 'production' | 'training' = 'production',
): Promise<string> {
  const id = newId();
  const path = `/v1/tenants/${id}`;
  const { ubi, username, password } = simulator.demo;
  const steps: [string, () => Promise<TestResponse>][] = [
    ['tenant', () => ask('PUT', path, { headers: FIRST_PUT, body: { name: 'Test', state: 'NM', environment } })],
    ['ubi', () => ask('PUT', `${path}/ubi`, { headers: FIRST_PUT, body: { ubi } })],
    ['preference', () => ask('PUT', `${path}/company-creation-preference`, { headers: FIRST_PUT, body: { strategy } })],
    [
      'credential',
      () => ask('POST', `${path}/credentials`, { body: { description: 'test', username, password, owner: 'company' } }),
    ],
  ];
  for (const [name, step] of steps) {
    const answer = await step();
    if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
    if (name === upTo) break;
  }
  return id;
}

const ENDED = ['succeeded', 'succeeded_with_warnings', 'needs_review', 'failed', 'canceled', 'superseded'];

/** Starts a run and waits until it has ended. */
export async function syncTenant(
  { ask }: Pick<TestService, 'ask'>,
  tenantId: string,
  body: { refresh?: 'auto' | 'force' } = {},
): Promise<TestResponse['body']> {
  const started = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body });
  if (started.status !== 202) throw new Error(`${started.status} ${JSON.stringify(started.body)}`);
  return waitForRun({ ask }, tenantId, started.body.id);
}

export async function waitForRun(
  { ask }: Pick<TestService, 'ask'>,
  tenantId: string,
  runId: string,
): Promise<TestResponse['body']> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const { body } = await ask('GET', `/v1/tenants/${tenantId}/syncs/${runId}`);
    if (ENDED.includes(body.status)) return body;
    await new Promise((resolve) => setTimeout(resolve, Math.min(100, 20 + 10 * tries)));
  }
  throw new Error(`run ${runId} has not ended within two minutes`);
}
