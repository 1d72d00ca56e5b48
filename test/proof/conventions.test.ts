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

/** The repository with one more line at the end of a file, or with a new file. */
const withLine = (path: string, line: string): Files =>
  new Map([...files, [path, `${(files.get(path) ?? '').trimEnd()}\n${line}\n`]]);

const lastLine = (path: string): number => (files.get(path) ?? '').trimEnd().split('\n').length + 1;

/** Every finding names its file and line, and how to fix it. */
function checkFinding(t: Test, found: readonly Finding[], path: string, problem: RegExp): void {
  t.equal(found.length, 1, `one finding: ${JSON.stringify(found)}`);
  const [finding] = found;
  t.equal(finding?.file, path);
  t.equal(finding?.line, lastLine(path), 'in the planted line');
  t.match(finding?.problem, problem);
  t.not(finding?.fix, '', 'with a fix');
}

t.test('banned words are found in documents, strings, comments, names and migrations', async (t) => {
  for (const [path, line, problem] of [
    ['README.md', 'Defaults apply unless told otherwise.', /unless told/],
    ['docs/concepts.md', 'The admin resolves it himself.', /himself/],
    ['src/service.ts', "export const planted = 'Mend the login.';", /Mend/],
    ['src/service.ts', 'export const planted = `$' + '{1} is carried out`;', /carried out/],
    ['src/service.ts', '// Whoever holds the lease.', /Whoever/],
    ['src/service.ts', '/** Nobody may do this. */\nexport const planted = 1;', /Nobody/],
    ['src/service.ts', 'export const tellApart = 1;', /tellApart/],
    ['migrations/0001-roles.sql', '-- The person who logs in.', /person/],
  ] as const) {
    const found = findBannedWords(withLine(path, line)).filter(({ problem: text }) => problem.test(text));
    t.ok(found.length > 0, `${path}: ${line}`);
    checkFinding(t, found.slice(0, 1), path, problem);
  }
  t.same(findBannedWords(withLine('src/service.ts', 'export const theHerd = "these others, here";')), [], 'no parts');
});

t.test('banned words are found in the OpenAPI document', async (t) => {
  const document = files.get('openapi/v1.json') ?? '';
  const planted = document.replace('"description": "', '"description": "Tells whether it works. ');
  const [finding] = findBannedWords(new Map([...files, ['openapi/v1.json', planted]]));
  t.match(finding, { file: 'openapi/v1.json', problem: '"Tells"' });
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
    const found = findOddSummaries(new Map([...files, ['openapi/v1.json', text]]));
    t.equal(found.length, 1, String(summary));
    t.match(found[0]?.problem, problem);
    t.match(text.split('\n')[(found[0]?.line ?? 0) - 1], /"listTenants"/, 'the line is that of the operation');
  }
});

t.test('an exported name is declared once', async (t) => {
  for (const declaration of [
    'export class ServiceError {}',
    'export type ServiceError = string;',
    'export interface ServiceError {}',
    'export const ServiceError = 1;',
    'export function ServiceError() {}',
  ]) {
    checkFinding(
      t,
      findDoubledExports(withLine('src/vault/vault.ts', declaration)),
      'src/vault/vault.ts',
      /ServiceError/,
    );
  }
  t.same(findDoubledExports(withLine('src/vault/vault.ts', "export { ServiceError } from '../domain/x.js';")), []);
  t.same(findDoubledExports(withLine('src/vault/vault.ts', 'class ServiceError {}')), [], 'not exported');
  t.same(findDoubledExports(withLine('src/cli/generated/v1.d.ts', 'export type ServiceError = 1;')), [], 'generated');
});

t.test('documents name what exists', async (t) => {
  for (const [line, problem] of [
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
  ] as const) {
    checkFinding(t, findBrokenReferences(withLine('CONTRIBUTING.md', line)), 'CONTRIBUTING.md', problem);
  }
  const [inPicture] = findBrokenReferences(withLine('src/README.md', '```\nmodules/syncs/no-such-file → db\n```'));
  t.match(inPicture, { file: 'src/README.md', line: lastLine('src/README.md') + 1, problem: /no-such-file/ });
  for (const line of [
    'See `src/domain/vendor.ts`, `vendor.ts`, `domain/`, `.data/local.json` and [there](docs/concepts.md#identity).',
    'Call `planSync`, `GET …/setup`, `GET /v1/tenants/{tenant_id}/setup?x=1`, `npm run derive`, `If-Match: *`.',
  ]) {
    t.same(findBrokenReferences(withLine('CONTRIBUTING.md', line)), [], line);
  }
});

t.test('every documented command is run by a test', async (t) => {
  const plant = (command: string): Files => withLine('CONTRIBUTING.md', `\`\`\`sh\n${command}\n\`\`\``);
  for (const [command, problem] of [
    ['curl https://example.com', /curl/],
    ['npm run no-such-script', /no-such-script/],
    ['npm ci && npm run vault -- status', /vault/],
    ['npm ci \\\n  --omit=dev', /--omit=dev/],
  ] as const) {
    const [finding, ...others] = findUnprovenCommands(plant(command));
    t.same(others, []);
    t.match(finding, { file: 'CONTRIBUTING.md', problem });
    t.ok((finding?.line ?? 0) > lastLine('CONTRIBUTING.md'), 'in the planted block');
  }
  t.same(findUnprovenCommands(plant('npm ci && npm start   # a comment\n# another')), []);
  t.same(findUnprovenCommands(plant('curl x')).length, 1);
  const proof = { test: 'test/proof/conventions.test.ts', text: 'every documented command' };
  const known = { 'npm test -- test/mapping/yielding.test.ts': proof, 'curl x': proof };
  t.notMatch(findUnprovenCommands(plant('curl x'), known), [{ problem: /curl/ }], 'proven by this file');
  const gone = { ...known, 'curl x': { ...proof, text: ['no', 'such', 'text'].join(' ') } };
  t.match(findUnprovenCommands(plant('curl x'), gone).at(-1)?.problem, /has no "no such text"/, 'the proof is gone');
});

t.test('every environment variable is documented', async (t) => {
  t.match(findUndocumentedVariables(files, ['NO_SUCH_VARIABLE', 'PORT']), [
    { file: 'src/config.ts', problem: /NO_SUCH_VARIABLE/, fix: /npm run derive/ },
  ]);
  const [finding, ...others] = findUndocumentedVariables(
    withLine('src/cli/job.ts', 'export const planted = process.env.NO_SUCH_VARIABLE;'),
  );
  t.same(others, []);
  t.match(finding, { file: 'src/cli/job.ts', line: lastLine('src/cli/job.ts'), problem: /NO_SUCH_VARIABLE/ });
});
