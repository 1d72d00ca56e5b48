import { readFile } from 'node:fs/promises';
import { v7 as uuidv7 } from 'uuid';
import { ConfigError, type readEnv } from './config.js';
import { clientOf, closeDatabase, openDatabase, withOperator, withTenant } from './db/database.js';
import { listPendingMigrations, migrate } from './db/migrate.js';
import { toSqlState } from './db/sqlstate.js';
import type { Secret } from './domain/secret.js';
import { MIGRATIONS } from './migrations.js';
import { createApiKey } from './modules/api-keys/index.js';
import { selectTenants } from './modules/tenants/index.js';

type Environment = ReturnType<typeof readEnv>;

function requireDatabase({ secrets }: Environment): Secret {
  if (secrets.databaseDirectUrl !== undefined) return secrets.databaseDirectUrl;
  throw new ConfigError('DATABASE_URL is required for this command; local mode does it by itself');
}

/** Brings the database up to date. */
export async function migrateConfigured(environment: Environment, say: (line: string) => void): Promise<void> {
  const url = requireDatabase(environment).reveal();
  try {
    await listPendingMigrations({ url, folder: MIGRATIONS });
  } catch (cause) {
    throw new ConfigError(`DATABASE_URL: the database cannot be used (${toSqlState(cause)})`, { cause });
  }
  await migrate({ url, folder: MIGRATIONS, onApplied: (name) => say(`applied ${name}`) });
  say('The database is up to date.');
}

/** The first key of a new deployment: every other one can be made with it over the API. */
export async function createOperatorKey(
  environment: Environment,
  description: string,
  say: (line: string) => void,
): Promise<void> {
  const db = openDatabase({
    url: requireDatabase(environment).reveal(),
    poolSize: 1,
    applicationName: 'biotrack-connect create-api-key',
  });
  try {
    const { secret } = await createApiKey(db, uuidv7, { description, role: 'operator', tenantId: undefined });
    say(secret.reveal());
  } finally {
    await closeDatabase(db);
  }
}

const INVARIANTS = new URL('../test/invariants.sql', import.meta.url);
const TENANTS_AT_ONCE = 500;

/**
 * Asks the database for everything that must hold at every moment, tenant by tenant under row security, and says what
 * does not. Reads only.
 * @returns the exit code: 0 if all of it holds
 */
export async function checkInvariants(environment: Environment, say: (line: string) => void): Promise<number> {
  const db = openDatabase({
    url: requireDatabase(environment).reveal(),
    poolSize: 1,
    applicationName: 'biotrack-connect invariants',
  });
  try {
    const text = await readFile(INVARIANTS, 'utf8');
    const broken = new Set<string>();
    let tenants = 0;
    for (let last: string | undefined; ; ) {
      const page = await withOperator(db, (tx) => selectTenants(tx, TENANTS_AT_ONCE, last));
      for (const { id } of page.slice(0, TENANTS_AT_ONCE)) {
        // Several statements in one: the driver then gives a result for each.
        const results = await withTenant(db, id, (tx) => clientOf(tx).query(text));
        for (const { rows } of results as unknown as readonly { readonly rows: readonly Violation[] }[]) {
          for (const { label, tenant_id, what } of rows) broken.add(`${label}: ${tenant_id ?? ''} ${what}`);
        }
        tenants += 1;
      }
      last = page[TENANTS_AT_ONCE - 1]?.id;
      if (last === undefined) break;
    }
    for (const line of broken) say(line);
    say(
      broken.size === 0
        ? `Everything holds in ${tenants} tenants.`
        : `${broken.size} violations in ${tenants} tenants.`,
    );
    return broken.size === 0 ? 0 : 1;
  } finally {
    await closeDatabase(db);
  }
}

interface Violation {
  readonly label: string;
  readonly tenant_id: string | null;
  readonly what: string;
}
