import pino from 'pino';
import type t from 'tap';
import { parseStates } from '../../src/biotrack/index.js';
import { Secret } from '../../src/domain/secret.js';
import { findFreePort } from '../../src/local/index.js';
import { createApiKey } from '../../src/modules/api-keys/index.js';
import { type Service, startService } from '../../src/service.js';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.js';
import { createKeysetFile, parseKeyset } from '../../src/vault/index.js';
import { createTestDatabase } from './postgres.js';

/** An answer as a caller sees it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body; undefined for none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into bodies of every shape, and asserts what it finds.
  readonly body: any;
}

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly rawBody?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Another key than the operator's; null for none. */
  readonly key?: string | null;
}

/** The service of one test file: real Postgres, real sockets, the simulator for BioTrack. */
export interface TestService {
  readonly baseUrl: string;
  readonly databaseUrl: string;
  readonly operatorKey: string;
  readonly service: Service;
  readonly simulator: Simulator;
  /** Everything that was logged, as text. */
  readonly logged: () => string;
  ask(method: string, path: string, options?: Ask): Promise<Answer>;
  newId(): string;
}

export interface TestServiceOptions {
  readonly simulator?: SimulatorOptions;
  readonly role?: 'all' | 'api' | 'worker';
  readonly directoryMaxAgeSeconds?: number;
}

/** Starts the service for a test file and ends it with the file. */
export async function startTestService(tap: typeof t, options: TestServiceOptions = {}): Promise<TestService> {
  const simulator = await startSimulator({ state: 'nm', licenses: 200, ...options.simulator });
  const database = await createTestDatabase();
  const port = await findFreePort('127.0.0.1');
  const baseUrl = `http://127.0.0.1:${port}`;
  const lines: string[] = [];
  const url = new Secret(database.url);
  const environment = { dialect: 'api4', url: simulator.url, origin_id: 'test' };
  const service = await startService({
    config: {
      host: '127.0.0.1',
      port,
      databasePoolSize: 10,
      role: options.role ?? 'all',
      directoryMaxAgeSeconds: options.directoryMaxAgeSeconds ?? 600,
    },
    publicUrl: baseUrl,
    databaseUrl: url,
    databaseDirectUrl: url,
    states: parseStates({ NM: { environments: { production: environment, training: environment } } }),
    keyset: parseKeyset(createKeysetFile('test')),
    logger: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
  });
  tap.teardown(async () => {
    await service.stop();
    await simulator.close();
    await database.drop();
  });
  const key = await createApiKey(service.db, service.newId, {
    description: 'test',
    role: 'operator',
    tenantId: undefined,
  });
  const operatorKey = key.secret.reveal();
  return {
    baseUrl,
    databaseUrl: database.url,
    operatorKey,
    service,
    simulator,
    logged: () => lines.join(''),
    newId: service.newId,
    ask: (method, path, ask = {}) => send(baseUrl, operatorKey, method, path, ask),
  };
}

async function send(baseUrl: string, operatorKey: string, method: string, path: string, ask: Ask): Promise<Answer> {
  const { body, rawBody, headers, key = operatorKey } = ask;
  const hasBody = body !== undefined || rawBody !== undefined;
  const response = await fetch(new URL(path, baseUrl), {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: rawBody ?? (body === undefined ? undefined : JSON.stringify(body)),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

export const FIRST_PUT = { 'if-none-match': '*' };

/** A tenant of its own, brought as far as asked; each step the way a caller takes it. */
export async function makeTenant(
  { ask, newId, simulator }: TestService,
  upTo: 'tenant' | 'ubi' | 'preference' | 'credential' = 'credential',
  strategy: 'one_per_license' | 'one_per_vendor' = 'one_per_license',
): Promise<string> {
  const id = newId();
  const path = `/v1/tenants/${id}`;
  const { ubi, username, password } = simulator.demo;
  const steps: [string, () => Promise<Answer>][] = [
    [
      'tenant',
      () => ask('PUT', path, { headers: FIRST_PUT, body: { name: 'Test', state: 'NM', environment: 'production' } }),
    ],
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

/** Starts a run and waits for its end. */
export async function syncTenant(
  { ask }: TestService,
  tenantId: string,
  body: { refresh?: 'auto' | 'force' } = {},
): Promise<Answer['body']> {
  const started = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body });
  if (started.status !== 202) throw new Error(`${started.status} ${JSON.stringify(started.body)}`);
  return waitForRun({ ask }, tenantId, started.body.id);
}

export async function waitForRun(
  { ask }: Pick<TestService, 'ask'>,
  tenantId: string,
  runId: string,
): Promise<Answer['body']> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const { body } = await ask('GET', `/v1/tenants/${tenantId}/syncs/${runId}`);
    if (ENDED.includes(body.status)) return body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`run ${runId} has not ended within a minute`);
}
