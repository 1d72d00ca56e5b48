import pg from 'pg';
import t from 'tap';
import { POLICY } from '../../src/http/policy.js';
import { DERIVED_FILES } from '../../tools/derived/index.js';
import { renderOpenapi } from '../../tools/derived/openapi.js';
import { renderSchema } from '../../tools/derived/schema.js';
import { createSources } from '../../tools/derived/sources.js';
import { createTestDatabase } from '../helpers/postgres.js';

t.test('every derived file is current', async (t) => {
  const database = await createTestDatabase();
  t.teardown(() => database.drop());
  const sources = createSources(async () => database.url);
  for (const { name, path, render } of DERIVED_FILES) {
    const difference = findDifference(await sources.read(path), await render(sources));
    t.equal(difference, undefined, `${path} is current; otherwise run: npm run derive ${name}`);
  }
});

t.test('schema.sql shows every change, and fails for unsupported objects', async (t) => {
  const database = await createTestDatabase();
  const session = new pg.Client({ connectionString: database.url });
  await session.connect();
  t.teardown(async () => {
    await session.end();
    await database.drop();
  });
  let last = await renderSchema(database.url);
  for (const change of [
    'drop policy tenant_isolation on ubis',
    'alter table ubis no force row level security',
    'alter table ubis disable row level security',
    'alter table ubis alter ubi drop not null',
    "alter table ubis alter ubi set default ''",
    'alter table ubis alter ubi type varchar(64)',
    'alter table ubis drop constraint ubis_status_check',
    'alter table companies alter constraint companies_tenant_id_superseded_by_fkey deferrable initially immediate',
    'drop index sync_runs_active',
    'grant truncate on ubis to biotrack_app',
    'grant update (ubi) on ubis to biotrack_operator',
    'grant usage on sequence directories_directory_id_seq to biotrack_app',
    'revoke execute on function enqueue_sync_run from biotrack_app',
    'alter function current_tenant_id volatile',
    'alter default privileges in schema public grant select on tables to biotrack_app',
    'grant create on schema public to biotrack_app',
  ]) {
    await session.query(change);
    const text = await renderSchema(database.url);
    t.not(text, last, change);
    last = text;
  }
  for (const [statement, name] of [
    ['create view planted_view as select * from ubis', 'planted_view'],
    ["create type planted_type as enum ('a')", 'planted_type'],
  ] as const) {
    await session.query(statement);
    await t.rejects(renderSchema(database.url), { message: new RegExp(name) }, statement);
  }
});

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema?: { $ref?: string } }>> }>>;
}

t.test('the document has every operation with a schema for every response', async (t) => {
  const document = JSON.parse(await renderOpenapi()) as Document;
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  t.same(operations.map(({ operationId }) => operationId).sort(), Object.keys(POLICY).sort());
  for (const { operationId, responses } of operations) {
    for (const [status, { content }] of Object.entries(responses)) {
      const schemas = Object.values(content ?? {}).map(({ schema }) => schema?.$ref);
      if (Object.keys(content ?? {}).includes('text/event-stream')) continue; // A string.
      if (status === '204' || status === '304') t.same(schemas, [], `${operationId} ${status} has no body`);
      else t.match(schemas, [/^#\/components\/schemas\/[A-Z]/], `${operationId} ${status}`);
    }
  }
});

/** The first line that differs; tap takes too long to diff the whole documents. */
function findDifference(found: string, wanted: string): { line: number; found: string; wanted: string } | undefined {
  if (found === wanted) return undefined;
  const [foundLines, wantedLines] = [found.split('\n'), wanted.split('\n')];
  const index = wantedLines.findIndex((text, at) => text !== foundLines[at]);
  const at = index < 0 ? wantedLines.length : index;
  return { line: at + 1, found: foundLines[at] ?? '(the end)', wanted: wantedLines[at] ?? '(the end)' };
}
