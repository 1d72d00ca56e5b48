import { Cli } from 'kysely-codegen';

const ENVIRONMENT = '"production" | "training"';
const STRATEGY = '"one_per_license" | "one_per_vendor"';

/** Renders the tables of a migrated database as TypeScript types. */
export function renderTables(databaseUrl: string): Promise<string> {
  return new Cli().generate({
    url: databaseUrl,
    dialect: 'postgres',
    logLevel: 'silent',
    // Return the text instead of writing a file.
    outFile: null,
    includePattern: 'public.*',
    excludePattern: 'kysely_*',
    // Matches the type parsers in src/db/database.ts.
    typeMapping: { int8: 'number' },
    // Enums that exist only as check constraints.
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
