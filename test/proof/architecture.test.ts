import { appendFile, cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import t from 'tap';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const SCRIPTS = [
  'dev',
  'build',
  'start',
  'onboard',
  'migrate',
  'test',
  'test:faults',
  'test:full',
  'test:long',
  'test:node24',
  'lint',
  'check',
  'openapi',
  'bench',
];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly rule: string;
}

/** The imports of a folder that violate the dependency rules. */
async function findViolations(folder: string): Promise<Import[]> {
  const options = await extractDepcruiseOptions(join(ROOT, '.dependency-cruiser.cjs'));
  const tsConfig = extractTsConfig(join(ROOT, 'tsconfig.json'));
  const { output } = await cruise(['src'], { ...options, validate: true, baseDir: folder }, {}, { tsConfig });
  if (typeof output === 'string') throw new TypeError('expected a result object');
  return output.summary.violations.map(({ from, to, rule }) => ({ from, to, rule: rule.name }));
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

t.test('all imports follow the dependency rules', async (t) => {
  t.same(await findViolations(ROOT), []);
});

/** Forbidden imports, each with the rule that must report it. */
const WRONG: readonly [file: string, line: string, rule: string][] = [
  ['domain/vendor.ts', "import '../biotrack/index.js';", 'domain'],
  ['domain/fault.ts', "import 'node:crypto';", 'domain'],
  ['domain/page.ts', "import type { TSchema } from 'typebox'; export type S = TSchema;", 'domain'],
  ['mapping/plan.ts', "import type { Db } from '../db/database.js'; export type D = Db;", 'mapping'],
  ['mapping/compare.ts', "import 'node:crypto';", 'mapping'],
  ['biotrack/retry.ts', "import '../db/database.js';", 'biotrack'],
  ['biotrack/circuit.ts', "import 'node:fs';", 'biotrack'],
  ['vault/keyset.ts', "import 'node:fs/promises';", 'vault'],
  ['db/sqlstate.ts', "import '../domain/service-error.js';", 'db'],
  ['db/bulk.ts', "import 'graphile-worker';", 'db'],
  ['db/migrate.ts', "import '../jobs/index.js';", 'db-migrate'],
  ['jobs/queue.ts', "import '../http/server.js';", 'jobs'],
  ['http/pages.ts', "import '../db/database.js';", 'http'],
  ['http/health.ts', "import 'pg';", 'database-drivers'],
  ['simulator/clock.ts', "import '../domain/vendor.js';", 'simulator'],
  ['local/local-file.ts', "import '../db/database.js';", 'local'],
  ['cli/flags.ts', "import '../domain/vendor.js';", 'cli'],
  ['cli/job.ts', "import 'openapi-fetch';", 'cli'],
  ['cli/settings.ts', "import '../../clients/typescript/src/save.js';", 'cli'],
  ['modules/ubi/schema.ts', "import './service.js';", 'module-schema'],
  ['modules/ubi/routes.ts', "import '../../mapping/index.js';", 'module-routes'],
  [
    'modules/states/routes.ts',
    "import { withTenant } from '../../db/database.js'; withTenant;",
    'module-routes-types-only',
  ],
  ['modules/tenants/routes.ts', "import '../ubi/service.js';", 'module-entry-points'],
  ['modules/ubi/service.ts', "import type { Kysely } from 'kysely'; export type K = Kysely<object>;", 'module-service'],
  ['modules/tenants/service.ts', "import 'fastify';", 'module-service'],
  ['modules/syncs/run-sync.ts', "import 'undici';", 'module-service'],
  ['modules/credentials/verdict.ts', "import './routes.js';", 'module-service-knows-no-http'],
  ['modules/ubi/repository.ts', "import '../../biotrack/index.js';", 'module-repository'],
  ['modules/tenants/repository.ts', "import './service.js';", 'module-repository'],
  [
    'modules/companies/repository.ts',
    "import { planSync } from '../../mapping/index.js'; planSync;",
    'module-repository-types-only',
  ],
  ['plans/apply.ts', "import '../modules/ubi/index.js';", 'plans'],
  ['plans/store.ts', "import type { Kysely } from 'kysely'; export type K = Kysely<object>;", 'database-drivers'],
  ['modules/ubi/index.ts', "export { openDatabase } from '../../db/database.js';", 'module-index'],
  ['config.ts', "import './http/server.js';", 'config'],
  ['migrations.ts', "import './config.js';", 'migrations'],
  ['app.ts', "import './local/index.js';", 'app'],
  ['jobs/index.ts', "import '../serve.js';", 'process-start'],
  ['local/local.ts', "import '../service.js';", 'service-start'],
  ['operate.ts', "import './app.js';", 'app-is-built-by-service'],
  ['vault/vault.ts', "import 'node:process';", 'process'],
  [
    'serve.ts',
    "import './biotrack/errors.js'; import './vault/vault.js'; import './local/postgres.js';",
    'entry-point-of-biotrack',
  ],
  ['service.ts', "import './mapping/plan-sync.js'; import './jobs/queue.js';", 'entry-point-of-mapping'],
  ['app.ts', "import './plans/apply.js';", 'entry-point-of-plans'],
  ['domain/strategy.ts', "import './in-circle.js';", 'no-circle'],
  ['domain/in-circle.ts', "import './strategy.js';", 'no-circle'],
  ['domain/lonely.ts', 'export const lonely = true;', 'no-orphan'],
  ['http/ranges.ts', "import './nowhere.js';", 'not-resolvable'],
  ['main.ts', "import 'nock';", 'not-declared'],
];

t.test('each rule reports a forbidden import', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'biotrack-connect-architecture-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await cp(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
  await cp(join(ROOT, 'clients/typescript/src'), join(folder, 'clients/typescript/src'), { recursive: true });
  for (const name of ['package.json', 'clients/typescript/package.json'])
    await cp(join(ROOT, name), join(folder, name));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  t.same(await findViolations(folder), [], 'no violations without the planted imports');
  for (const [file, line] of WRONG) await appendFile(join(folder, 'src', file), `\n${line}\n`);
  const violations = await findViolations(folder);
  for (const [file, line, rule] of WRONG) {
    // Only one import of a circle is reported.
    const isOf = ({ from, to, rule }: Import): boolean =>
      from === `src/${file}` || (rule === 'no-circle' && to === `src/${file}`);
    const seen = violations.filter(isOf).map((violation) => violation.rule);
    t.ok(seen.includes(rule), `${rule}: ${line} in ${file}`, { seen });
  }
});

/** Whether an identifier is a property or member name, except for properties of the global object. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node)
    return !/^global/.test(parent.expression.getText());
  const isMember =
    ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent);
  return isMember && parent.name === node;
}

/** Uses of the global `process`, and imports of `node:process` other than named functions. */
function listUsesOfProcess(path: string, text: string): string[] {
  const uses: string[] = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const record = (node: ts.Node): void => {
    uses.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${node.getText()}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const isProcess = ts.isStringLiteral(node.moduleSpecifier) && /^(node:)?process$/.test(node.moduleSpecifier.text);
      const bindings = node.importClause?.namedBindings;
      const names = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : [];
      const isNamed = names.length > 0 && node.importClause?.name === undefined;
      if (isProcess && (!isNamed || names.some((each) => (each.propertyName ?? each.name).text === 'env')))
        record(node);
      return;
    }
    if (ts.isIdentifier(node) && node.text === 'process' && !isMemberName(node)) record(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return uses;
}

t.test('only main.ts uses the process', async (t) => {
  const uses: string[] = [];
  for (const path of await listFiles('src')) {
    if (!path.endsWith('.ts') || path.endsWith('.d.ts') || path === 'src/main.ts') continue;
    uses.push(...listUsesOfProcess(path, await readFile(join(ROOT, path), 'utf8')));
  }
  t.same(uses, []);
  for (const wrong of [
    'const url = process.env.DATABASE_URL;',
    'const { env } = process;',
    "import process from 'node:process';",
    "import * as anything from 'process';",
    "import { env as settings } from 'node:process';",
    'export const url = globalThis.process.env;',
  ]) {
    t.not(listUsesOfProcess('planted.ts', wrong).length, 0, wrong);
  }
  t.same(listUsesOfProcess('planted.ts', "import { kill } from 'node:process'; kill(child.process.pid);"), []);
});

/** The functions that write rows: those of the query builder, and the bulk writes of `db/bulk.ts` after their transaction. */
const BUILDER_WRITES = /^(insertInto|replaceInto|updateTable|deleteFrom|mergeInto)$/;
const BULK_WRITES = /^(insertRows|updateRows|copyRows)$/;
const SQL_WRITE = /\b(?:insert\s+into|update(?:\s+only)?|delete\s+from|merge\s+into|truncate|copy)\s+"?(\w+)"?/gi;

/** The tables that a file writes, by the query builder, in bulk, or by SQL text. */
function listWrittenTables(text: string): string[] {
  const source = ts.createSourceFile('any.ts', text, ts.ScriptTarget.ESNext, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const { expression: callee } = node;
      const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
      const table = BUILDER_WRITES.test(name)
        ? node.arguments[0]
        : BULK_WRITES.test(name)
          ? node.arguments[1]
          : undefined;
      if (table !== undefined && ts.isStringLiteralLike(table)) found.push(table.text.split(' ')[0] as string);
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
      const sqlText = ts.isTemplateExpression(node) ? node.getText() : node.text;
      found.push(...[...sqlText.matchAll(SQL_WRITE)].map(([, table]) => table as string));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

t.test('a table is written by one module', async (t) => {
  const catalog = await readFile(join(ROOT, 'src/db/tables.ts'), 'utf8');
  const tables = [...(catalog.split('export interface DB {')[1] ?? '').matchAll(/^ {2}(\w+):/gm)].map(
    ([, name]) => name,
  );
  t.ok(tables.length > 20);
  const writers = new Map<string, Set<string>>();
  for (const path of await listFiles('src')) {
    // Their texts are about the API, not SQL.
    if (!path.endsWith('.ts') || /(^src\/cli\/|\/(schema|routes)\.ts$)/.test(path)) continue;
    const module = path
      .split('/')
      .slice(1, path.startsWith('src/modules/') ? 3 : 2)
      .join('/');
    for (const table of listWrittenTables(await readFile(join(ROOT, path), 'utf8'))) {
      if (tables.includes(table)) writers.set(table, (writers.get(table) ?? new Set()).add(module));
    }
  }
  for (const table of tables)
    t.equal(writers.get(table as string)?.size, 1, `${table}: ${[...(writers.get(table as string) ?? [])]}`);
  for (const table of ['companies', 'company_licenses', 'vendor_companies', 'conflicts', 'changes'])
    t.strictSame([...(writers.get(table) ?? [])], ['plans'], `only plans/ writes ${table}`);
  for (const wrong of [
    "tx.insertInto('ubis').values({})",
    "tx.updateTable('ubis as u').set({})",
    "statementBuilder.with('a', (db) => db.deleteFrom('ubis'))",
    "insertRows(tx, 'ubis', COLUMNS, rows)",
    'sql`delete from ubis`.execute(tx)',
    'client.query(\'INSERT INTO "ubis" values ($1)\')',
    "client.query(`update\n  ubis set ubi = ''`)",
  ]) {
    t.strictSame(listWrittenTables(wrong), ['ubis'], wrong);
  }
  t.strictSame(listWrittenTables("sql`select from ubis for update skip locked`; tx.selectFrom('ubis')"), ['skip']);
});

t.test('timeouts use linkSignals', async (t) => {
  const FORBIDDEN = /\bAbortSignal\s*\.\s*(any|timeout)\b/;
  const listUses = (path: string, text: string): string[] =>
    text.split('\n').flatMap((line, index) => {
      const isComment = /^\s*(\*|\/\/|\/\*)/.test(line);
      return FORBIDDEN.test(line) && !isComment ? [`${path}:${index + 1}`] : [];
    });
  const uses: string[] = [];
  for (const path of (await Promise.all(['src', 'tools', 'clients/typescript/src'].map(listFiles))).flat()) {
    if (/\.(ts|mjs)$/.test(path)) uses.push(...listUses(path, await readFile(join(ROOT, path), 'utf8')));
  }
  t.same(uses, []);
  for (const wrong of ['AbortSignal.any([a, b])', 'const signal = AbortSignal.timeout(5);']) {
    t.same(listUses('planted.ts', wrong), ['planted.ts:1'], wrong);
  }
});

t.test('file names are specific and in kebab-case', async (t) => {
  const names = (
    await Promise.all(['src', 'test', 'tools', 'migrations', 'clients/typescript/src'].map(listFiles))
  ).flat();
  const isCode = (path: string): boolean => /\.(ts|mjs|cjs|sql)$/.test(path);
  const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.(ts|mjs|cjs|sql)$/;
  const FOLDER = /^[a-z0-9]+(-[a-z0-9]+)*$/;
  t.same(
    names.filter((path) => {
      const folders = path.split('/').slice(0, -1);
      return isCode(path) && !(KEBAB.test(basename(path)) && folders.every((folder) => FOLDER.test(folder)));
    }),
    [],
    'in kebab-case',
  );
  const VAGUE = /(^|\/)(utils?|commons?|helpers?|types|shared|misc|lib)(\/|\.ts$)/;
  t.same(
    names.filter((path) => path.startsWith('src/') && VAGUE.test(path)),
    [],
    'no vague names',
  );
});

t.test('package.json has all documented scripts, and their files exist', async (t) => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const name of [...SCRIPTS, 'derive', 'simulator']) t.type(scripts[name], 'string', name);
  const files = Object.values(scripts).flatMap((script) => script.match(/\b(?:tools|test)\/[\w/.-]+/g) ?? []);
  const present = new Set((await Promise.all(['tools', 'test'].map(listFiles))).flat());
  for (const file of files) t.ok(present.has(file), `${file} exists`);
});
