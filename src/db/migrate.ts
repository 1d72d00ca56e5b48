import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { runMigrations } from 'graphile-worker';
import { Kysely, type Migration, Migrator, PostgresDialect, sql } from 'kysely';
import pg from 'pg';

/** An arbitrary advisory lock number. One process migrates, the others poll the lock. */
const MIGRATION_LOCK = 7_316_004_882_001;
const LOCK_POLL_MS = 200;
/** A start that cannot succeed must fail within two seconds. */
const CONNECT_TIMEOUT_MS = 1_500;
const QUERY_TIMEOUT_MS = 1_500;

export interface MigrateOptions {
  /** A session connection, not a transaction-mode pooler, whose login owns the database. */
  readonly url: string;
  readonly folder: URL;
  readonly onApplied?: (name: string) => void;
}

/** The database has migrations that this version of the service does not know. The message is written for operators. */
export class MigrationHistoryError extends Error {}

/** Applies the pending migrations of the queue library and of this service. Throws at the first one that fails. */
export async function migrate({ url, folder, onApplied = () => {} }: MigrateOptions): Promise<void> {
  const lockHolder = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await lockHolder.connect();
  try {
    // Polled outside of a transaction: waiting inside one would block `create index concurrently` of the other process.
    while (!(await tryLock(lockHolder))) await delay(LOCK_POLL_MS);
    await runMigrations({ connectionString: url });
    await applyFiles(url, folder, onApplied);
  } finally {
    await lockHolder.end();
  }
}

/** The names of the migrations that the database has not applied yet. */
export async function listPendingMigrations({ url, folder }: MigrateOptions): Promise<string[]> {
  const kysely = connect(url, { query_timeout: QUERY_TIMEOUT_MS });
  try {
    const migrations = await createMigrator(kysely, folder).getMigrations();
    return migrations.filter((migration) => migration.executedAt === undefined).map((migration) => migration.name);
  } finally {
    await kysely.destroy();
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const result = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [MIGRATION_LOCK]);
  return result.rows[0]?.locked === true;
}

async function applyFiles(url: string, folder: URL, onApplied: (name: string) => void): Promise<void> {
  const kysely = connect(url);
  try {
    const migrator = createMigrator(kysely, folder);
    // One at a time, because the migrator runs all migrations of a call in one transaction.
    for (;;) {
      const { error, results } = await migrator.migrateUp();
      const result = results?.[0];
      if (error !== undefined) throw toMigrationError(error, result?.migrationName);
      if (result === undefined) return;
      onApplied(result.migrationName);
    }
  } finally {
    await kysely.destroy();
  }
}

function toMigrationError(cause: unknown, name: string | undefined): Error {
  if (cause instanceof Error && cause.message.startsWith('corrupted migrations: ')) {
    return new MigrationHistoryError(
      'The database was created by another version of this service. In local mode, delete the DATA_DIR folder. Otherwise, recreate the database.',
      { cause },
    );
  }
  return new Error(name === undefined ? 'the migrations failed' : `migration ${name} failed`, { cause });
}

const connect = (url: string, limits: Pick<pg.PoolConfig, 'query_timeout'> = {}): Kysely<unknown> =>
  new Kysely({
    dialect: new PostgresDialect({
      pool: new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...limits }),
    }),
  });

function createMigrator(kysely: Kysely<unknown>, folder: URL): Migrator {
  return new Migrator({ db: kysely, provider: { getMigrations: () => readMigrations(folder) } });
}

async function readMigrations(folder: URL): Promise<Record<string, Migration>> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort();
  const migrations: Record<string, Migration> = {};
  for (const name of names) {
    const text = await readFile(new URL(name, folder), 'utf8');
    migrations[name.replace(/\.sql$/, '')] = {
      async up(db) {
        await sql.raw(text).execute(db);
      },
    };
  }
  return migrations;
}
