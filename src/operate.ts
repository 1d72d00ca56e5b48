import { v7 as uuidv7 } from 'uuid';
import { ConfigError, type readEnv } from './config.js';
import { clientOf, closeDatabase, openDatabase, withTenant } from './db/database.js';
import { findViolations } from './db/invariants.js';
import { listPendingMigrations, MigrationHistoryError, migrate } from './db/migrate.js';
import { toSqlState } from './db/sqlstate.js';
import type { Secret } from './domain/secret.js';
import { MIGRATIONS } from './migrations.js';
import { createApiKey } from './modules/api-keys/index.js';
import { iterateTenantIds, renewFeedEpoch } from './modules/tenants/index.js';

type Environment = ReturnType<typeof readEnv>;
type Print = (line: string) => void;

function requireDatabase({ secrets }: Environment): Secret {
  if (secrets.databaseDirectUrl !== undefined) return secrets.databaseDirectUrl;
  throw new ConfigError('DATABASE_URL is required for this command; local mode does not need it');
}

export async function migrateConfigured(environment: Environment, print: Print): Promise<void> {
  const url = requireDatabase(environment).reveal();
  try {
    await listPendingMigrations({ url, folder: MIGRATIONS });
  } catch (cause) {
    throw new ConfigError(`DATABASE_URL: the database cannot be used (${toSqlState(cause)})`, { cause });
  }
  try {
    await migrate({ url, folder: MIGRATIONS, onApplied: (name) => print(`applied ${name}`) });
  } catch (error) {
    throw error instanceof MigrationHistoryError ? new ConfigError(error.message, { cause: error }) : error;
  }
  print('The database is up to date.');
}

/** Creates an operator key without the API, for the first key of a deployment. */
export async function createOperatorKey(environment: Environment, description: string, print: Print): Promise<void> {
  const db = openDatabase({
    url: requireDatabase(environment).reveal(),
    poolSize: 1,
    applicationName: 'biotrack-connect create-api-key',
  });
  try {
    const { secret } = await createApiKey(db, uuidv7, { description, role: 'operator', tenantId: undefined });
    print(secret.reveal());
  } finally {
    await closeDatabase(db);
  }
}

/**
 * Checks `invariants.sql` in every tenant, under row security. Reads only.
 * @returns the exit code: 1 if there are violations
 */
export async function checkInvariants(environment: Environment, print: Print): Promise<number> {
  const db = openDatabase({
    url: requireDatabase(environment).reveal(),
    poolSize: 1,
    applicationName: 'biotrack-connect invariants',
  });
  try {
    // A set: rows without a tenant are found again in each tenant.
    const violations = new Set<string>();
    let tenants = 0;
    for await (const id of iterateTenantIds(db)) {
      for (const { label, tenantId, what } of await withTenant(db, id, (tx) => findViolations(clientOf(tx)))) {
        violations.add(`${label}: ${tenantId ?? ''} ${what}`);
      }
      tenants += 1;
    }
    for (const line of violations) print(line);
    print(`${tenants} tenants checked, ${violations.size} violations.`);
    return violations.size === 0 ? 0 : 1;
  } finally {
    await closeDatabase(db);
  }
}

/**
 * Gives the change feed of every tenant a new epoch, for a restored database: clients know changes that it does not have, and its
 * next changes get the numbers of those. May be run again.
 */
export async function restartFeeds(environment: Environment, print: Print): Promise<void> {
  const db = openDatabase({
    url: requireDatabase(environment).reveal(),
    poolSize: 1,
    applicationName: 'biotrack-connect restart-feeds',
  });
  try {
    let tenants = 0;
    for await (const id of iterateTenantIds(db)) {
      await withTenant(db, id, renewFeedEpoch);
      tenants += 1;
    }
    print(`The change feeds of ${tenants} tenants begin again. Clients receive 409 feed_rewound for their cursors.`);
  } finally {
    await closeDatabase(db);
  }
}
