import { withAnswerTable } from '../../src/biotrack/index.js';
import { renderClientTypes } from './client-types.js';
import type { DerivedFile } from './derived-file.js';
import { renderSchema } from './schema.js';
import { renderTables } from './tables.js';

/** Every derived file of the repository. */
export const DERIVED_FILES: readonly DerivedFile[] = [
  {
    name: 'tables',
    path: 'src/db/tables.ts',
    make: async ({ databaseUrl }) => renderTables(await databaseUrl()),
  },
  {
    name: 'schema',
    path: 'migrations/schema.sql',
    make: async ({ databaseUrl }) => renderSchema(await databaseUrl()),
  },
  { name: 'openapi', path: 'openapi/v1.json', make: ({ openapi }) => openapi() },
  {
    name: 'client',
    path: 'src/cli/generated/v1.d.ts',
    make: async ({ openapi }) => renderClientTypes(await openapi()),
  },
  {
    name: 'answers',
    path: 'src/biotrack/README.md',
    make: async ({ read }) => withAnswerTable(await read('src/biotrack/README.md')),
  },
];
