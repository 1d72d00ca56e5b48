import { access, constants, stat } from 'node:fs/promises';
import { type BiotrackState, type ProxySettings, probeUpstream } from './biotrack/index.js';
import { type Config, ConfigError, readEnv } from './config.js';
import { readKeyset, readStates } from './configured-files.js';
import { closeDatabase, type Db, openDatabase } from './db/database.js';
import { checkDatabase, type DatabaseCheck } from './db/database-check.js';
import { listPendingMigrations } from './db/migrate.js';
import { countSealed } from './db/sealed-columns.js';
import { toSqlState } from './db/sqlstate.js';
import { linkSignals } from './domain/linked-signal.js';
import type { Secret } from './domain/secret.js';
import { findLocalFile, hasPostgres } from './local/index.js';
import { MIGRATIONS } from './migrations.js';
import { iterateTenantIds } from './modules/tenants/index.js';
import type { Keyset } from './vault/index.js';

type Print = (line: string) => void;

interface Finding {
  readonly subject: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly fix?: string | undefined;
}

const TIMEOUT_MS = 3_000;
/** Some states answer slowly. */
const PROBE_TIMEOUT_MS = 10_000;
const MIN_POSTGRES_MAJOR = 14;
const MAX_SKEW_SECONDS = 5;

/**
 * Checks the configuration, the database, the keys and the network. Changes nothing, and sends no password to BioTrack.
 * @returns the exit code: 1 if a check failed
 */
export async function runDoctor(env: Readonly<Record<string, string | undefined>>, print: Print): Promise<number> {
  let failures = 0;
  for await (const { subject, verdict, detail, fix } of listFindings(env)) {
    const label = verdict === 'fail' ? 'FAIL' : verdict;
    for (const [index, line] of detail.split('\n').entries()) {
      print(`${(index === 0 ? label : '').padEnd(5)} ${(index === 0 ? subject : '').padEnd(14)} ${line}`);
    }
    if (fix !== undefined) print(`${''.padEnd(20)} → ${fix}`);
    if (verdict === 'fail') failures += 1;
  }
  print(failures === 0 ? '\nNo problems found.' : `\n${failures} ${failures === 1 ? 'check' : 'checks'} failed.`);
  return failures === 0 ? 0 : 1;
}

async function* listFindings(env: Readonly<Record<string, string | undefined>>): AsyncGenerator<Finding> {
  let environment: ReturnType<typeof readEnv>;
  try {
    environment = readEnv(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    yield {
      subject: 'configuration',
      verdict: 'fail',
      detail: error.message,
      fix: 'correct these environment variables; see docs/configuration.md',
    };
    return;
  }
  const { config, secrets } = environment;
  const { databaseUrl, databaseDirectUrl, proxy } = secrets;
  if (databaseUrl === undefined || databaseDirectUrl === undefined) {
    yield { subject: 'configuration', verdict: 'ok', detail: 'local mode (DATABASE_URL is not set)' };
    yield* checkLocalMode(config);
    return;
  }
  yield {
    subject: 'configuration',
    verdict: 'ok',
    detail: `role ${config.role}, listens on ${config.host}:${config.port}`,
  };

  const keyset = await readFileOf('keyset', () => readKeyset(config));
  yield keyset.finding ?? (await checkKeyset(config, keyset.value));
  const states = await readFileOf('states', () => readStates(config));
  yield states.finding ?? checkStates(config, states.value);

  const isUsable = yield* checkConnections(databaseUrl, databaseDirectUrl);
  const environmentsInUse = isUsable ? yield* checkData(databaseDirectUrl, keyset.value) : [];
  if (proxy !== undefined) yield toProxyFinding(proxy);
  if (states.value !== undefined) yield* checkUpstreams(states.value, environmentsInUse, proxy);
}

type Reading<T> =
  | { readonly value: T; readonly finding?: never }
  | { readonly value?: never; readonly finding: Finding };

const FILE_FIXES = {
  keyset:
    'for a new deployment: npm run create-keyset -- --out FILE; otherwise restore the file that sealed the stored passwords',
  states: 'correct the file; see docs/configuration.md for its format',
} as const;

async function readFileOf<T>(subject: keyof typeof FILE_FIXES, read: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { finding: { subject, verdict: 'fail', detail: error.message, fix: FILE_FIXES[subject] } };
  }
}

async function checkKeyset({ vaultKeysetFile = '' }: Config, keyset: Keyset): Promise<Finding> {
  const [primary, ...others] = keyset;
  const older = others.map(({ id }) => id).join(', ');
  const detail = `seals with key ${primary.id}${older === '' ? '' : `, can also open ${older}`}`;
  const { mode } = await stat(vaultKeysetFile);
  if ((mode & 0o004) === 0) return { subject: 'keyset', verdict: 'ok', detail };
  return {
    subject: 'keyset',
    verdict: 'warn',
    detail: `${detail}\nall users of this machine can read the file`,
    fix: `chmod o-r ${vaultKeysetFile}`,
  };
}

function checkStates({ statesFile }: Config, states: readonly BiotrackState[]): Finding {
  const active = states.filter(({ status }) => status === 'active').map(({ code }) => code);
  const detail = `${statesFile === undefined ? 'built-in' : 'from BIOTRACK_STATES_FILE'}: ${active.join(', ')}`;
  return { subject: 'states', verdict: 'ok', detail };
}

/** Checks both connections and the migrations. Returns whether the database can be used. */
async function* checkConnections(url: Secret, directUrl: Secret): AsyncGenerator<Finding, boolean> {
  const names = url.reveal() === directUrl.reveal() ? ['DATABASE_URL'] : ['DATABASE_URL', 'DATABASE_DIRECT_URL'];
  for (const name of names) {
    const db = openForDoctor(name === 'DATABASE_URL' ? url : directUrl);
    try {
      const check = await checkDatabase(db);
      yield toConnectionFinding(name, check);
      if (check.major < MIN_POSTGRES_MAJOR) return false;
    } catch (error) {
      yield {
        subject: 'database',
        verdict: 'fail',
        detail: `${name}: connection failed (${toSqlState(error)})`,
        fix: 'start Postgres, and check the host, port, database, user and password of the URL',
      };
      return false;
    } finally {
      await closeDatabase(db);
    }
  }
  const pending = await listPendingMigrations({ url: directUrl.reveal(), folder: MIGRATIONS });
  if (pending.length > 0) {
    yield {
      subject: 'migrations',
      verdict: 'fail',
      detail: `pending: ${pending.join(', ')}`,
      fix: 'npm run migrate',
    };
    return false;
  }
  yield { subject: 'migrations', verdict: 'ok', detail: 'all applied' };
  return true;
}

function toConnectionFinding(name: string, { major, skewSeconds }: DatabaseCheck): Finding {
  const subject = 'database';
  const detail = `${name}: Postgres ${major}`;
  if (major < MIN_POSTGRES_MAJOR) {
    return { subject, verdict: 'fail', detail, fix: `use Postgres ${MIN_POSTGRES_MAJOR} or later` };
  }
  if (Math.abs(skewSeconds) <= MAX_SKEW_SECONDS) return { subject, verdict: 'ok', detail };
  return {
    subject,
    verdict: 'warn',
    detail: `${detail}; its clock differs from this machine's by ${Math.round(skewSeconds)} s`,
    fix: 'synchronize both clocks',
  };
}

/** Checks roles, row security and sealed passwords. Returns the environments that tenants use. */
async function* checkData(url: Secret, keyset: Keyset | undefined): AsyncGenerator<Finding, readonly string[]> {
  const db = openForDoctor(url);
  try {
    const check = await checkDatabase(db);
    yield checkRoles(check);
    yield checkLogin(check);
    yield checkRowSecurity(check);
    if (check.missingRoles.length === 0 && keyset !== undefined) yield await checkSealed(db, keyset);
    return check.environments;
  } finally {
    await closeDatabase(db);
  }
}

function checkRoles({ missingRoles, privilegedRoles }: DatabaseCheck): Finding {
  const subject = 'roles';
  if (missingRoles.length > 0) {
    return {
      subject,
      verdict: 'fail',
      detail: `this login is not a member of ${missingRoles.join(', ')}`,
      fix: 'grant the roles to the login; see migrations/README.md',
    };
  }
  if (privilegedRoles.length > 0) {
    return {
      subject,
      verdict: 'fail',
      detail: `row security can be bypassed by ${privilegedRoles.join(', ')}`,
      fix: 'alter role … nosuperuser nobypassrls nocreaterole',
    };
  }
  return { subject, verdict: 'ok', detail: 'biotrack_app and biotrack_operator cannot bypass row security' };
}

function checkLogin({ loginRights }: DatabaseCheck): Finding {
  const subject = 'login';
  if (loginRights.length === 0) return { subject, verdict: 'ok', detail: 'has only the rights that the service needs' };
  return {
    subject,
    verdict: 'warn',
    detail: `has more rights than the service needs: ${loginRights.join(', ')}`,
    fix: 'use a login in biotrack_service for the service, and this one for migrations only; see migrations/README.md',
  };
}

function checkRowSecurity({ unprotectedTables }: DatabaseCheck): Finding {
  const subject = 'row security';
  if (unprotectedTables.length === 0) return { subject, verdict: 'ok', detail: 'forced on all tenant tables' };
  return {
    subject,
    verdict: 'fail',
    detail: `not forced on ${unprotectedTables.join(', ')}`,
    fix: 'alter table … enable row level security, force row level security',
  };
}

async function checkSealed(db: Db, keyset: Keyset): Promise<Finding> {
  const subject = 'passwords';
  const counts = await countSealed(db, iterateTenantIds(db));
  const lost = counts.filter(({ keyId }) => !keyset.some(({ id }) => id === keyId));
  if (lost.length > 0) {
    return {
      subject,
      verdict: 'fail',
      detail: lost
        .map(({ keyId, count, table }) => `${count} in ${table} sealed with key ${keyId}, which is not in the keyset`)
        .join('\n'),
      fix: 'add the key to the keyset again, or have users enter these passwords again',
    };
  }
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const old = counts.filter(({ keyId }) => keyId !== keyset[0].id).reduce((sum, { count }) => sum + count, 0);
  if (old === 0) return { subject, verdict: 'ok', detail: `${total} sealed with the current key` };
  return {
    subject,
    verdict: 'warn',
    detail: `${old} of ${total} sealed with an older key`,
    fix: 'npm run vault -- reseal',
  };
}

function toProxyFinding({ url, except }: ProxySettings): Finding {
  // Without the user and the password.
  const { protocol, host } = new URL(url.reveal());
  const without = except === '' ? 'loopback addresses' : `loopback addresses and ${except}`;
  return { subject: 'proxy', verdict: 'ok', detail: `${protocol}//${host} for all hosts but ${without}` };
}

/** Sends each BioTrack address a login without a user and a password, which BioTrack refuses. */
async function* checkUpstreams(
  states: readonly BiotrackState[],
  environmentsInUse: readonly string[],
  proxy: ProxySettings | undefined,
): AsyncGenerator<Finding> {
  const upstreams = states.flatMap((state) =>
    Object.entries(state.environments).map(([name, environment]) => ({ id: `${state.code}/${name}`, environment })),
  );
  const results = await Promise.all(
    upstreams.map(async ({ id, environment }) => ({
      id,
      host: new URL(environment.url).host,
      problem: await probeUpstream(environment, { timeoutMs: PROBE_TIMEOUT_MS, proxy }),
    })),
  );
  for (const { id, host, problem } of results) {
    const isUsed = environmentsInUse.includes(id);
    yield {
      subject: `BioTrack ${id}`,
      verdict: problem === undefined ? 'ok' : isUsed ? 'fail' : 'warn',
      detail: `${host}${problem === undefined ? '' : `: ${problem}`}${isUsed ? '' : ' (no tenant uses it)'}`,
      fix:
        problem === undefined
          ? undefined
          : 'check the URL, the proxy, the certificates, and that firewalls let this machine connect; see docs/operations.md',
    };
  }
}

async function* checkLocalMode({ dataDir }: Config): AsyncGenerator<Finding> {
  yield (await hasPostgres())
    ? { subject: 'postgres', verdict: 'ok', detail: 'found on this machine' }
    : {
        subject: 'postgres',
        verdict: 'fail',
        detail: 'not found on this machine',
        fix: 'run npm ci with optional dependencies, or set DATABASE_URL',
      };
  const isWritable = await access(dataDir, constants.W_OK).then(
    () => true,
    (error) => error.code === 'ENOENT',
  );
  yield isWritable
    ? { subject: 'folder', verdict: 'ok', detail: dataDir }
    : {
        subject: 'folder',
        verdict: 'fail',
        detail: `${dataDir} is not writable`,
        fix: 'set DATA_DIR to a folder that you can write to',
      };
  const local = await findLocalFile(dataDir);
  if (local?.base_url === undefined) return;
  const { signal, dispose } = linkSignals([], TIMEOUT_MS);
  const isRunning = await fetch(`${local.base_url}/livez`, { signal })
    .then(
      ({ ok }) => ok,
      () => false,
    )
    .finally(dispose);
  yield {
    subject: 'service',
    verdict: 'ok',
    detail: isRunning ? `running at ${local.base_url}` : 'not running; start it with npm start',
  };
}

const openForDoctor = (url: Secret): Db =>
  openDatabase({ url: url.reveal(), poolSize: 2, applicationName: 'biotrack-connect doctor' });
