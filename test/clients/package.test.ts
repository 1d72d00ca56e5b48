import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';
import { parseMarkdown } from '../../tools/conventions/markdown.js';
import { startTestService } from '../helpers/service.js';

// The package as its users get it: packed, installed into a folder without the repository, compiled and run.

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGE = join(ROOT, 'clients/typescript');

const execute = promisify(execFile);
/** Without tap's variables, which would make the child report to tap. */
const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };

const folder = await mkdtemp(join(tmpdir(), 'client-package-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));

/** Installs the tarball as npm does, but links its dependency instead of downloading it. */
async function installPackage(): Promise<string[]> {
  const { stdout } = await execute('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PACKAGE, env });
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string; files: { path: string }[] }[];
  if (packed === undefined) throw new Error('npm pack reported no package');
  const target = join(folder, 'node_modules/@biotrack-connect/client');
  await mkdir(target, { recursive: true });
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await execute('tar', ['-xzf', join(folder, tarball ?? ''), '-C', target, '--strip-components=1']);
  for (const name of ['openapi-fetch', 'openapi-typescript-helpers', '@types']) {
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  return packed.files.map(({ path }) => path).sort();
}

/** The examples of the README as one module. */
async function readExamples(): Promise<string> {
  const { blocks } = parseMarkdown(await readFile(join(PACKAGE, 'README.md'), 'utf8'));
  const examples = blocks.filter(({ language }) => language === 'ts').map(({ text }) => text);
  t.ok(examples.length > 7, 'the README has examples');
  return examples.join('\n');
}

function findTypeErrors(path: string): string[] {
  const program = ts.createProgram([path], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(folder, 'node_modules/@types')],
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ messageText, file, start }) =>
        `${file?.fileName}:${start} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
}

t.test('the packed package runs the examples of its README', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 60 } });
  const files = await installPackage();
  t.ok(files.includes('dist/index.js') && files.includes('dist/generated/v1.d.ts') && files.includes('README.md'));
  t.same(
    files.filter((path) => !/^(dist\/|README\.md$|package\.json$)/.test(path)),
    [],
    'contains nothing else',
  );

  const examples = await readExamples();
  const path = join(folder, 'examples.ts');
  await writeFile(path, examples);
  t.same(findTypeErrors(path), [], 'the examples match the types');
  const { outputText } = ts.transpileModule(examples, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await writeFile(join(folder, 'examples.js'), outputText);
  const { demo } = service.simulator;
  const tenantId = service.newId();
  const { stdout } = await execute(process.execPath, ['examples.js'], {
    cwd: folder,
    env: {
      ...env,
      BIOTRACK_CONNECT_URL: service.baseUrl,
      BIOTRACK_CONNECT_API_KEY: service.operatorKey,
      TENANT_ID: tenantId,
      UBI: demo.ubi,
      BIOTRACK_USERNAME: demo.username,
      BIOTRACK_PASSWORD: demo.password,
    },
    timeout: 120_000,
  });
  for (const line of [/^\[ 'NM' \]$/m, /^The tenant does not exist yet\.$/m, /^created$/m, / end succeeded$/m])
    t.match(stdout, line);
  t.match(stdout, /^The setup has not changed\.$/m);
  const { body } = await service.ask('GET', `/v1/tenants/${tenantId}/setup`);
  t.equal(body.next_step, null, 'the tenant is set up');
});

t.test('runs in browsers', async (t) => {
  const { dependencies, engines, sideEffects } = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'));
  const root = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  t.same(dependencies, { 'openapi-fetch': root.dependencies['openapi-fetch'] }, 'the version that the service uses');
  t.same([engines, sideEffects], [root.engines, false]);
  const installed = join(folder, 'node_modules/@biotrack-connect/client/dist');
  for (const name of (await readdir(installed, { recursive: true })).filter((each) => each.endsWith('.js'))) {
    const code = await readFile(join(installed, name), 'utf8');
    t.notMatch(code, /\b(from|import)\s*\(?\s*['"]node:/, `${name} imports no module of Node`);
    t.notMatch(code, /\b(process|Buffer|require)\b\s*[.(]/, `${name} uses no global of Node`);
  }
});
