import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { findUnprovenCommands } from '../../tools/conventions/commands.js';
import { findUndocumentedVariables } from '../../tools/conventions/configuration.js';
import { findDoubledExports } from '../../tools/conventions/exported-names.js';
import { type Files, readFiles } from '../../tools/conventions/files.js';
import type { Finding } from '../../tools/conventions/finding.js';
import { CONVENTIONS } from '../../tools/conventions/index.js';
import { findBrokenReferences } from '../../tools/conventions/references.js';
import { findOddSummaries } from '../../tools/conventions/summaries.js';
import { findBannedWords } from '../../tools/conventions/words.js';

const files = await readFiles(fileURLToPath(new URL('../../', import.meta.url)));

for (const [name, find] of Object.entries(CONVENTIONS)) {
  t.test(`the repository follows the convention: ${name}`, async (t) => {
    t.same(find(files), []);
  });
}

/** The repository with one more line at the end of a file. */
const withLine = (path: string, line: string): Files =>
  new Map([...files, [path, `${(files.get(path) ?? '').trimEnd()}\n${line}\n`]]);

const lastLine = (path: string): number => (files.get(path) ?? '').trimEnd().split('\n').length + 1;

/** Every finding names its file and line, and how to fix it. */
function checkFinding(t: Test, found: readonly Finding[], path: string, line: number, problem: RegExp): void {
  t.match(found, [{ file: path, line, problem, fix: /\w/ }]);
  t.equal(found.length, 1, `${path}:${line} ${problem}`);
}

t.test('banned words are found in documents, strings, comments, names and migrations', async (t) => {
  for (const [path, text, problem] of [
    ['README.md', 'Text.\nDefaults apply unless told otherwise.', /unless told/],
    ['docs/concepts.md', 'Text.\nThe admin resolves it himself.', /himself/],
    ['openapi/v1.json', '{\n"description": "Mends the login." }', /Mends/],
    ['src/service.ts', "export const a = 1;\nexport const b = 'Nobody may do this.';", /Nobody/],
    ['src/service.ts', 'export const a = 1;\nexport const b = `$' + '{1} is carried out`;', /carried out/],
    ['src/service.ts', 'export const a = 1;\n// Whoever holds the lease.', /Whoever/],
    ['src/service.ts', '/** Text.\n * Somebody may do this. */\nexport const b = 1;', /Somebody/],
    ['src/service.ts', 'export const a = 1;\nexport const tellApart = 1;', /tellApart/],
    ['src/service.ts', 'export const a = 1;\nexport const NOBODY = 1;', /NOBODY/],
    ['migrations/0001-roles.sql', 'select 1;\n-- The person who logs in.', /person/],
  ] as const) {
    const found = findBannedWords(new Map([[path, text]])).filter((finding) => problem.test(finding.problem));
    checkFinding(t, found, path, 2, problem);
  }
  const harmless = 'export const theHerd = "these others, here"; // heartbeat, household, tenant';
  t.same(findBannedWords(new Map([['src/service.ts', harmless]])), [], 'only whole words count');
  t.same(findBannedWords(new Map([['test/service.test.ts', '// nobody']])), [], 'tests are not read');
});

t.test('API summaries are short and imperative', async (t) => {
  const document = JSON.parse(files.get('openapi/v1.json') ?? '{}');
  for (const [summary, problem] of [
    ['Companies of the tenant', /begins with "Companies"/],
    ['List', /has no noun/],
    ['List companies.', /punctuation/],
    [`List ${'very '.repeat(12)}many companies`, /characters/],
    [undefined, /begins with ""/],
  ] as const) {
    document.paths['/v1/tenants'].get.summary = summary;
    const text = JSON.stringify(document, null, 2);
    const line = text.split('\n').findIndex((each) => each.includes('"operationId": "listTenants"')) + 1;
    const found = findOddSummaries(new Map([['openapi/v1.json', text]])).filter((finding) => finding.line === line);
    checkFinding(t, found, 'openapi/v1.json', line, problem);
  }
});

t.test('an exported name is declared once', async (t) => {
  const path = 'src/vault/vault.ts';
  const plant = (text: string, file = path): Finding[] =>
    findDoubledExports(
      new Map([
        ['src/domain/service-error.ts', 'export class ServiceError {}'],
        [file, `export const other = 1;\n${text}`],
      ]),
    );
  for (const declaration of [
    'export class ServiceError {}',
    'export type ServiceError = string;',
    'export interface ServiceError {}',
    'export const ServiceError = 1;',
    'export function ServiceError() {}',
  ]) {
    checkFinding(t, plant(declaration), path, 2, /ServiceError/);
  }
  t.same(plant("export { ServiceError } from '../domain/service-error.js';"), [], 'exported again');
  t.same(plant('class ServiceError {}'), [], 'not exported');
  t.same(plant('export type ServiceError = 1;', 'clients/typescript/src/generated/v1.d.ts'), [], 'generated');
});

t.test('documents name what exists', async (t) => {
  const path = 'CONTRIBUTING.md';
  const broken = [
    ['See `src/domain/no-such-file.ts`.', /no-such-file/],
    ['See `no-such-file.ts`.', /no-such-file/],
    ['See `src/no-such-folder/`.', /no-such-folder/],
    ['Call `noSuchFunction`.', /noSuchFunction/],
    ['Call `noSuchFunction()`.', /noSuchFunction/],
    ['The code `no_such_code`.', /no_such_code/],
    ['The event `no.such.event`.', /no\.such\.event/],
    ['Run `npm run no-such-script`.', /no-such-script/],
    ['Call `GET /v1/no-such-path`.', /no-such-path/],
    ['Call `DELETE …/setup`.', /setup/],
    ['Call `…/no-such-path`.', /no-such-path/],
    ['See [there](no-such-file.md).', /no-such-file/],
    ['See [there](docs/concepts.md#no-such-heading).', /no-such-heading/],
  ] as const;
  const sound = [
    'See `src/domain/vendor.ts`, `vendor.ts`, `domain/`, `.data/local.json` and [there](docs/concepts.md#identity).',
    'Call `planSync`, `GET …/setup`, `GET /v1/tenants/{tenant_id}/setup?x=1`, `npm run derive`, `If-Match: *`.',
  ];
  const picture = '```\nmodules/syncs/no-such-file → db\n```';
  const lines = [...broken.map(([line]) => line), ...sound, picture];
  const begin = lastLine(path);
  const found = findBrokenReferences(withLine(path, lines.join('\n'))).filter(
    ({ file, line }) => file === path && line >= begin,
  );
  for (const [index, [, problem]] of broken.entries()) {
    const line = begin + index;
    const here = found.filter((finding) => finding.line === line);
    checkFinding(t, here, path, line, problem);
  }
  t.equal(found.length, broken.length + 1, 'the names that exist are accepted');
  checkFinding(t, found.slice(-1), path, begin + lines.length, /modules\/syncs\/no-such-file/);
});

t.test('every documented command is run by a test', async (t) => {
  const manifest = ['package.json', files.get('package.json') ?? ''] as const;
  const plant = (command: string): Files =>
    new Map([manifest, ['docs/concepts.md', `# Title\n\n\`\`\`sh\n${command}\n\`\`\`\n`]]);
  for (const [command, problem, line = 4] of [
    ['curl https://example.com', /curl/],
    ['npm run no-such-script', /no-such-script/],
    ['npm ci && npm run vault -- status', /vault/],
    ['npm ci \\\n  --omit=dev', /--omit=dev/, 5],
  ] as const) {
    checkFinding(t, findUnprovenCommands(plant(command), {}), 'docs/concepts.md', line, problem);
  }
  t.same(findUnprovenCommands(plant('npm ci && npm start   # a comment\n# another'), {}), [], 'scripts');
  const session = '# Title\n\n<!-- session -->\n```sh\ncurl x\n```\n<!-- /session -->\n';
  t.same(findUnprovenCommands(new Map([manifest, ['docs/concepts.md', session]]), {}), [], 'a session');
  const proven = { 'curl x': { test: 'test/x.test.ts', text: 'runs curl' } };
  t.same(findUnprovenCommands(new Map([...plant('curl x'), ['test/x.test.ts', '// runs curl']]), proven), [], 'proven');
  const gone = findUnprovenCommands(new Map([...plant('curl x'), ['test/x.test.ts', '']]), proven);
  checkFinding(t, gone, 'docs/concepts.md', 4, /test\/x\.test\.ts has no "runs curl"/);
});

t.test('every environment variable is documented', async (t) => {
  t.match(findUndocumentedVariables(files, ['NO_SUCH_VARIABLE', 'PORT']), [
    { file: 'src/config.ts', problem: /NO_SUCH_VARIABLE/, fix: /npm run derive/ },
  ]);
  const path = 'src/cli/job.ts';
  const line = 'export const planted = process.env.NO_SUCH_VARIABLE;';
  checkFinding(t, findUndocumentedVariables(withLine(path, line)), path, lastLine(path), /NO_SUCH_VARIABLE/);
});
