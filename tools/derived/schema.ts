import { withCatalogue } from './schema/catalogue.js';
import { describeRoles } from './schema/roles.js';
import { describeRoutines } from './schema/routines.js';
import { describeSequences } from './schema/sequences.js';
import { describeTables } from './schema/tables.js';
import { listUnknown } from './schema/unknown.js';

const HEAD = `-- The schema after all migrations, read back from the catalogue by \`npm run derive\`: to be reviewed as a diff, not to
-- be run. The owner's own rights, the tables of the migrator and the schema of the queue are left out.`;

/** The schema of a migrated database as text, the same for the same schema. */
export async function renderSchema(databaseUrl: string): Promise<string> {
  return withCatalogue(databaseUrl, async (catalogue) => {
    const unknown = await listUnknown(catalogue);
    if (unknown.length > 0) throw new Error(`schema.sql cannot show ${unknown.join(', ')}; teach tools/derived/schema`);
    const blocks = [
      [HEAD],
      await describeRoles(catalogue),
      ...(await describeTables(catalogue)),
      await describeSequences(catalogue),
      ...(await describeRoutines(catalogue)),
    ];
    return blocks
      .filter((block) => block.length > 0)
      .map((block) => `${block.join('\n')}\n`)
      .join('\n');
  });
}
