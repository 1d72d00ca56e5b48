import { withCatalog } from './schema/catalog.js';
import { describeRoles } from './schema/roles.js';
import { describeRoutines } from './schema/routines.js';
import { describeSequences } from './schema/sequences.js';
import { describeTables } from './schema/tables.js';
import { listUnknown } from './schema/unknown.js';

const HEAD = `-- The schema after all migrations, as read from the catalog by \`npm run derive\`. For review only; do not run it. Omits the
-- owner's privileges, the migrator's tables and the schema of the queue.`;

/** Renders the schema of a migrated database deterministically. */
export async function renderSchema(databaseUrl: string): Promise<string> {
  return withCatalog(databaseUrl, async (catalog) => {
    const unknown = await listUnknown(catalog);
    if (unknown.length > 0) throw new Error(`tools/derived/schema does not support ${unknown.join(', ')}`);
    const blocks = [
      [HEAD],
      await describeRoles(catalog),
      ...(await describeTables(catalog)),
      await describeSequences(catalog),
      ...(await describeRoutines(catalog)),
    ];
    return blocks
      .filter((block) => block.length > 0)
      .map((block) => `${block.join('\n')}\n`)
      .join('\n');
  });
}
