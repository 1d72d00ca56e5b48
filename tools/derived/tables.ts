import { Cli } from 'kysely-codegen';

const ENVIRONMENT = '"production" | "training"';
const STRATEGY = '"one_per_license" | "one_per_vendor"';

/** The rows of the migrated database as types. */
export function renderTables(databaseUrl: string): Promise<string> {
  return new Cli().generate({
    url: databaseUrl,
    dialect: 'postgres',
    logLevel: 'silent',
    // It returns the text; whoever asked for it decides where it goes.
    outFile: null,
    includePattern: 'public.*',
    excludePattern: 'kysely_*',
    // As the driver is told to read them: our counters stay far below 2^53.
    typeMapping: { int8: 'number' },
    // What a check constraint allows, and no type of Postgres says.
    overrides: {
      columns: {
        'tenants.environment': ENVIRONMENT,
        'directories.environment': ENVIRONMENT,
        'creation_preferences.strategy': STRATEGY,
        'sync_runs.strategy': STRATEGY,
        'companies.origin': '"biotrack" | "manual"',
        'api_keys.role': '"operator" | "admin"',
      },
    },
  });
}
