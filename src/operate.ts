import { v7 as uuidv7 } from 'uuid';
import { ConfigError, type readEnv } from './config.js';
import { closeDatabase, openDatabase } from './db/database.js';
import { listPendingMigrations, migrate } from './db/migrate.js';
import { toErrorCode } from './db/sqlstate.js';
import type { Secret } from './domain/secret.js';
import { MIGRATIONS } from './migrations.js';
import { createApiKey } from './modules/api-keys/index.js';

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
    throw new ConfigError(`DATABASE_URL: the database cannot be used (${toErrorCode(cause)})`, { cause });
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
