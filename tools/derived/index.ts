import { withAnswerTable } from '../../src/biotrack/index.js';
import { renderClientTypes } from './client-types.js';
import { withConfigurationTable } from './configuration-table.js';
import type { DerivedFile } from './derived-file.js';
import { withMessageTable } from './message-table.js';
import { renderProblemCodes } from './problem-codes.js';
import { renderSchema } from './schema.js';
import { renderTables } from './tables.js';

/** Every derived file of the repository. */
export const DERIVED_FILES: readonly DerivedFile[] = [
  {
    name: 'tables',
    path: 'src/db/tables.ts',
    render: async ({ databaseUrl }) => renderTables(await databaseUrl()),
  },
  {
    name: 'schema',
    path: 'migrations/schema.sql',
    render: async ({ databaseUrl }) => renderSchema(await databaseUrl()),
  },
  { name: 'openapi', path: 'openapi/v1.json', render: ({ openapi }) => openapi() },
  {
    name: 'client',
    path: 'clients/typescript/src/generated/v1.d.ts',
    render: async ({ openapi }) => renderClientTypes(await openapi()),
  },
  {
    name: 'problem-codes',
    path: 'clients/typescript/src/generated/problem-codes.ts',
    render: async ({ openapi }) => renderProblemCodes(await openapi()),
  },
  {
    name: 'answers',
    path: 'docs/biotrack.md',
    render: async ({ read }) => withAnswerTable(await read('docs/biotrack.md')),
  },
  {
    name: 'configuration',
    path: 'docs/configuration.md',
    render: async ({ read }) => withConfigurationTable(await read('docs/configuration.md')),
  },
  {
    name: 'messages',
    path: 'docs/api-guide.md',
    render: async ({ read }) => withMessageTable(await read('docs/api-guide.md')),
  },
];
