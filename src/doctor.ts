import { access, constants, stat } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { BiotrackState } from './biotrack/index.js';
import { type Config, ConfigError, readEnv } from './config.js';
import { readKeyset, readStates } from './configured-files.js';
import { closeDatabase, type Db, openDatabase } from './db/database.js';
import { listPendingMigrations } from './db/migrate.js';
import { toSqlState } from './db/sqlstate.js';
import type { Secret } from './domain/secret.js';
import { findLocalFile, hasPostgres } from './local/index.js';
import { MIGRATIONS } from './migrations.js';
import { type DatabaseFinding, examineDatabase } from './modules/checkup/index.js';
import { countSealed } from './modules/sealed/index.js';
import type { Keyset } from './vault/index.js';

type Say = (line: string) => void;

/** What was looked at, how it is, and what to do about it. */
interface Finding {
  readonly what: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly todo?: string | undefined;
}

const REACH_TIMEOUT_MS = 3_000;
const OLDEST_POSTGRES = 14;
const MOST_SKEW_SECONDS = 5;

/** Looks at everything that the service needs, changes nothing, and logs in nowhere. 1: something has to be mended. */
export async function runDoctor(env: Readonly<Record<string, string | undefined>>, say: Say): Promise<number> {
  let failures = 0;
  for await (const { what, verdict, detail, todo } of listFindings(env)) {
    const label = verdict === 'fail' ? 'FAIL' : verdict;
    for (const [index, line] of detail.split('\n').entries()) {
      say(`${(index === 0 ? label : '').padEnd(5)} ${(index === 0 ? what : '').padEnd(14)} ${line}`);
    }
    if (todo !== undefined) say(`${''.padEnd(20)} → ${todo}`);
    if (verdict === 'fail') failures += 1;
  }
  say(failures === 0 ? '\nNothing has to be mended.' : `\n${failures} to be mended.`);
  return failures === 0 ? 0 : 1;
}

async function* listFindings(env: Readonly<Record<string, string | undefined>>): AsyncGenerator<Finding> {
  let environment: ReturnType<typeof readEnv>;
  try {
    environment = readEnv(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    yield {
      what: 'configuration',
      verdict: 'fail',
      detail: error.message,
      todo: 'set these variables; the README lists them',
    };
    return;
  }
  const { config, secrets } = environment;
  const { databaseUrl, databaseDirectUrl } = secrets;
  if (databaseUrl === undefined || databaseDirectUrl === undefined) {
    yield { what: 'configuration', verdict: 'ok', detail: 'local mode: DATABASE_URL is not set' };
    yield* examineLocal(config);
    return;
  }
  yield {
    what: 'configuration',
    verdict: 'ok',
    detail: `role ${config.role}, listening on ${config.host}:${config.port}`,
  };

  const keyset = await tryReading(() => readKeyset(config));
  yield keyset.finding ?? (await examineKeyset(config, keyset.value));
  const states = await tryReading(() => readStates(config));
  yield states.finding ?? examineStates(config, states.value);

  const isUsable = yield* examineConnections(databaseUrl, databaseDirectUrl);
  const used = isUsable ? yield* examineData(databaseDirectUrl, keyset.value) : [];
  if (states.value !== undefined) yield* examineReach(states.value, used);
}

type Reading<T> =
  | { readonly value: T; readonly finding?: never }
  | { readonly value?: never; readonly finding: Finding };

async function tryReading<T>(read: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [what = ''] = error.message.split(':');
    const isKeyset = what.startsWith('VAULT');
    return {
      finding: {
        what: isKeyset ? 'keyset' : 'states',
        verdict: 'fail',
        detail: error.message,
        todo: isKeyset
          ? 'npm run --silent create-keyset > FILE, for a new deployment; else put the file back that sealed the passwords'
          : 'mend the file; the README shows its shape',
      },
    };
  }
}

async function examineKeyset({ vaultKeysetFile = '' }: Config, keyset: Keyset): Promise<Finding> {
  const [primary, ...others] = keyset;
  const detail = `key ${primary.id} seals${others.length === 0 ? '' : `, ${others.map(({ id }) => id).join(', ')} still open`}`;
  const { mode } = await stat(vaultKeysetFile);
  if ((mode & 0o004) === 0) return { what: 'keyset', verdict: 'ok', detail };
  return {
    what: 'keyset',
    verdict: 'warn',
    detail: `${detail}\neverybody on this machine may read the file`,
    todo: 'chmod o-r',
  };
}

function examineStates({ statesFile }: Config, states: readonly BiotrackState[]): Finding {
  const active = states.filter(({ status }) => status === 'active').map(({ code }) => code);
  const detail = `${statesFile === undefined ? 'built in' : 'from the file'}: ${active.join(', ')}`;
  return { what: 'states', verdict: 'ok', detail };
}

/** Both ways to the database, and what has to be there. False: there is no point in looking further. */
async function* examineConnections(url: Secret, directUrl: Secret): AsyncGenerator<Finding, boolean> {
  const names = url.reveal() === directUrl.reveal() ? ['DATABASE_URL'] : ['DATABASE_URL', 'DATABASE_DIRECT_URL'];
  for (const name of names) {
    const db = openFor(name === 'DATABASE_URL' ? url : directUrl);
    try {
      const found = await examineDatabase(db);
      yield* toDatabaseFindings(name, found);
      if (found.major < OLDEST_POSTGRES) return false;
    } catch (error) {
      const detail = `${name}: it cannot be used (${toSqlState(error)})`;
      yield {
        what: 'database',
        verdict: 'fail',
        detail,
        todo: 'is it running, and are host, port, name, user and password right?',
      };
      return false;
    } finally {
      await closeDatabase(db);
    }
  }
  const pending = await listPendingMigrations({ url: directUrl.reveal(), folder: MIGRATIONS });
  if (pending.length > 0) {
    yield {
      what: 'migrations',
      verdict: 'fail',
      detail: `not applied: ${pending.join(', ')}`,
      todo: 'npm run migrate',
    };
    return false;
  }
  yield { what: 'migrations', verdict: 'ok', detail: 'all applied' };
  return true;
}

function* toDatabaseFindings(name: string, { major, skewSeconds }: DatabaseFinding): Generator<Finding> {
  if (major < OLDEST_POSTGRES) {
    yield {
      what: 'database',
      verdict: 'fail',
      detail: `${name}: Postgres ${major}`,
      todo: `it has to be ${OLDEST_POSTGRES} or newer`,
    };
    return;
  }
  const isSkewed = Math.abs(skewSeconds) > MOST_SKEW_SECONDS;
  yield {
    what: 'database',
    verdict: isSkewed ? 'warn' : 'ok',
    detail: `${name}: Postgres ${major}${isSkewed ? `, its clock differs by ${Math.round(skewSeconds)} s` : ''}`,
    todo: isSkewed ? 'set both clocks' : undefined,
  };
}

/** Roles, row security and what is sealed. Returns the environments that tenants use. */
async function* examineData(url: Secret, keyset: Keyset | undefined): AsyncGenerator<Finding, readonly string[]> {
  const db = openFor(url);
  try {
    const { missingRoles, powerfulRoles, openTables, environments } = await examineDatabase(db);
    yield missingRoles.length > 0
      ? {
          what: 'roles',
          verdict: 'fail',
          detail: `this login may not become ${missingRoles.join(', ')}`,
          todo: 'grant them to it; migrations/README.md tells how',
        }
      : powerfulRoles.length > 0
        ? {
            what: 'roles',
            verdict: 'fail',
            detail: `${powerfulRoles.join(', ')} may bypass row security`,
            todo: 'alter role … nosuperuser nobypassrls',
          }
        : { what: 'roles', verdict: 'ok', detail: 'biotrack_app and biotrack_operator own nothing and bypass nothing' };
    yield openTables.length > 0
      ? {
          what: 'row security',
          verdict: 'fail',
          detail: `off for ${openTables.join(', ')}`,
          todo: 'alter table … enable row level security, force row level security',
        }
      : { what: 'row security', verdict: 'ok', detail: "on and forced for every tenant's table" };
    if (missingRoles.length === 0 && keyset !== undefined) yield await examineSealed(db, keyset);
    return environments;
  } finally {
    await closeDatabase(db);
  }
}

async function examineSealed(db: Db, keyset: Keyset): Promise<Finding> {
  const counts = await countSealed(db);
  const lost = counts.filter(({ keyId }) => !keyset.some(({ id }) => id === keyId));
  if (lost.length > 0) {
    const detail = lost.map(
      ({ keyId, many, table }) => `${many} in ${table} are sealed with ${keyId}, which the keyset lacks`,
    );
    return {
      what: 'passwords',
      verdict: 'fail',
      detail: detail.join('\n'),
      todo: 'put the key back, or have the passwords entered again',
    };
  }
  const old = counts.filter(({ keyId }) => keyId !== keyset[0].id).reduce((total, { many }) => total + many, 0);
  const all = counts.reduce((total, { many }) => total + many, 0);
  if (old === 0) return { what: 'passwords', verdict: 'ok', detail: `${all} sealed with the key that seals` };
  return {
    what: 'passwords',
    verdict: 'warn',
    detail: `${old} of ${all} are sealed with an older key`,
    todo: 'npm run vault -- reseal',
  };
}

/** Whether somebody listens at each address, and shows a certificate that is good. Nothing is asked of him. */
async function* examineReach(states: readonly BiotrackState[], used: readonly string[]): AsyncGenerator<Finding> {
  const environments = states.flatMap((state) =>
    Object.entries(state.environments).map(([name, { url }]) => ({ id: `${state.code}/${name}`, url: new URL(url) })),
  );
  const reached = await Promise.all(environments.map(async ({ id, url }) => ({ id, url, trouble: await reach(url) })));
  for (const { id, url, trouble } of reached) {
    const isUsed = used.includes(id);
    yield {
      what: `BioTrack ${id}`,
      verdict: trouble === undefined ? 'ok' : isUsed ? 'fail' : 'warn',
      detail: `${url.host}${trouble === undefined ? '' : `: ${trouble}`}${isUsed ? '' : ' (no tenant uses it)'}`,
      todo: trouble === undefined ? undefined : 'is the address right, and may this machine reach it?',
    };
  }
}

function reach(url: URL): Promise<string | undefined> {
  const isSecure = url.protocol === 'https:';
  const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = isSecure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
    const end = (trouble: string | undefined): void => {
      socket.destroy();
      resolve(trouble);
    };
    socket.setTimeout(REACH_TIMEOUT_MS, () => end(`no answer within ${REACH_TIMEOUT_MS / 1000} s`));
    socket.once(isSecure ? 'secureConnect' : 'connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'it cannot be reached'));
  });
}

async function* examineLocal({ dataDir }: Config): AsyncGenerator<Finding> {
  yield (await hasPostgres())
    ? { what: 'postgres', verdict: 'ok', detail: 'there is one to start' }
    : {
        what: 'postgres',
        verdict: 'fail',
        detail: 'none is found',
        todo: 'npm ci, with optional dependencies; or set DATABASE_URL',
      };
  const isWritable = await access(dataDir, constants.W_OK).then(
    () => true,
    (error) => error.code === 'ENOENT',
  );
  yield isWritable
    ? { what: 'folder', verdict: 'ok', detail: dataDir }
    : {
        what: 'folder',
        verdict: 'fail',
        detail: `${dataDir} cannot be written`,
        todo: 'set DATA_DIR to a folder of yours',
      };
  const local = await findLocalFile(dataDir);
  if (local?.base_url === undefined) return;
  const isRunning = await fetch(`${local.base_url}/livez`, { signal: AbortSignal.timeout(REACH_TIMEOUT_MS) }).then(
    ({ ok }) => ok,
    () => false,
  );
  yield {
    what: 'service',
    verdict: 'ok',
    detail: isRunning ? `runs at ${local.base_url}` : 'does not run now; npm start',
  };
}

const openFor = (url: Secret): Db =>
  openDatabase({ url: url.reveal(), poolSize: 2, applicationName: 'biotrack-connect doctor' });
