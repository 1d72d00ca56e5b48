import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import pino from 'pino';
import { parseStates } from '../../src/biotrack/index.js';
import { migrate } from '../../src/db/migrate.js';
import { Secret } from '../../src/domain/secret.js';
import type { Strategy } from '../../src/domain/strategy.js';
import { findFreePort, startEmbeddedPostgres } from '../../src/local/index.js';
import { createApiKey } from '../../src/modules/api-keys/index.js';
import { type Service, startService } from '../../src/service.js';
import { type Simulator, startSimulator } from '../../src/simulator/index.js';
import { createKeysetFile, parseKeyset } from '../../src/vault/index.js';

/** One database with the service and a state, set up and not synced yet. */
export interface Bout {
  readonly simulator: Simulator;
  readonly service: Service;
  readonly tenantId: string;
  readonly strategy: Strategy;
  ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  /** Milliseconds of a bare COPY of all rows that the tenant has now, into empty tables of the same shape. */
  measureCopy(): Promise<number>;
  end(): Promise<void>;
}

export interface Lab {
  play(options: { licenses: number; strategy: Strategy; seed: number }): Promise<Bout>;
  stop(): Promise<void>;
}

const TABLES = ['companies', 'company_licenses', 'vendor_companies', 'changes'];
const MIGRATIONS = new URL('../../migrations/', import.meta.url);

/** Postgres as it is shipped: fsync on. Nothing is analysed, as nothing is in a fresh deployment. */
export async function startLab(): Promise<Lab> {
  const dataDir = await mkdtemp(join(tmpdir(), 'biotrack-connect-bench-'));
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { autovacuum: 'off' } });
  let databases = 0;
  return {
    async play({ licenses, strategy, seed }) {
      databases += 1;
      const url = await createDatabase(postgres.url, `bench_${databases}`);
      await migrate({ url, folder: MIGRATIONS });
      const simulator = await startSimulator({ state: 'nm', licenses, seed });
      return startBout(url, simulator, strategy);
    },
    async stop() {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function createDatabase(serverUrl: string, name: string): Promise<string> {
  await withClient(serverUrl, (client) => client.query(`create database ${name}`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function startBout(url: string, simulator: Simulator, strategy: Strategy): Promise<Bout> {
  const environment = { dialect: 'api4', url: simulator.url };
  const port = await findFreePort('127.0.0.1');
  const baseUrl = `http://127.0.0.1:${port}`;
  const service = await startService({
    config: {
      host: '127.0.0.1',
      port,
      metricsPort: 0,
      databasePoolSize: 10,
      role: 'all',
      directoryMaxAgeSeconds: 600,
      guardRemovalPercent: 10,
      syncIntervalSeconds: 3_600,
      rateLimitPerMinute: 1_000_000,
    },
    publicUrl: baseUrl,
    databaseUrl: new Secret(url),
    databaseDirectUrl: new Secret(url),
    states: parseStates({ NM: { environments: { production: environment } } }),
    keyset: parseKeyset(createKeysetFile('bench')),
    logger: pino({ level: 'silent' }),
  });
  const { secret } = await createApiKey(service.db, service.newId, {
    description: 'bench',
    role: 'operator',
    tenantId: undefined,
  });
  const ask: Bout['ask'] = async (method, path, body) => {
    const response = await fetch(new URL(path, baseUrl), {
      method,
      headers: {
        authorization: `Bearer ${secret.reveal()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'PUT' ? { 'if-none-match': '*' } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const tenantId = await setUp(ask, service, simulator, strategy);
  await withClient(url, (client) => client.query(BARE_TABLES));
  return {
    simulator,
    service,
    tenantId,
    strategy,
    ask,
    measureCopy: () => withClient(url, (client) => measureCopy(client, tenantId)),
    async end() {
      await service.stop();
      await simulator.close();
    },
  };
}

async function setUp(ask: Bout['ask'], service: Service, { demo }: Simulator, strategy: Strategy): Promise<string> {
  const tenantId = service.newId();
  const path = `/v1/tenants/${tenantId}`;
  await ask('PUT', path, { name: 'Bench', state: 'NM', environment: 'production' });
  await ask('PUT', `${path}/ubi`, { ubi: demo.ubi });
  await ask('PUT', `${path}/company-creation-preference`, { strategy });
  const { username, password } = demo;
  await ask('POST', `${path}/credentials`, { description: 'bench', username, password, owner: 'company' });
  return tenantId;
}

/** The same columns, defaults, checks, keys, foreign keys and indexes; no row security. */
const BARE_TABLES = `
  create schema bare;
  ${TABLES.map((table) => `create table bare.${table} (like public.${table} including all);`).join('\n')}
  create table bare.tenants (like public.tenants including all);
  insert into bare.tenants select * from public.tenants;
  do $$
  declare
    key record;
  begin
    for key in
      select conrelid::regclass::text as of_table, pg_get_constraintdef(oid) as definition
        from pg_constraint
       where contype = 'f' and conrelid::regclass::text in (${TABLES.map((table) => `'${table}'`).join(', ')})
    loop
      execute format('alter table bare.%s add %s', key.of_table, replace(key.definition, 'REFERENCES ', 'REFERENCES bare.'));
    end loop;
  end $$;`;

async function measureCopy(client: pg.Client, tenantId: string): Promise<number> {
  const bodies: [string, Buffer][] = [];
  for (const table of TABLES) {
    const chunks: Buffer[] = [];
    const source = client.query(copyTo(`copy (select * from ${table} where tenant_id = '${tenantId}') to stdout`));
    for await (const chunk of source) chunks.push(chunk as Buffer);
    bodies.push([table, Buffer.concat(chunks)]);
  }
  await client.query(`truncate ${TABLES.map((table) => `bare.${table}`).join(', ')}`);
  const start = performance.now();
  await client.query('begin');
  for (const [table, body] of bodies) {
    await pipeline(Readable.from([body]), client.query(copyFrom(`copy bare.${table} from stdin`)));
  }
  await client.query('commit');
  return performance.now() - start;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
