// Generates clients for other languages from openapi/v1.json as it is, and compiles them. Needs the network, and Java with Maven,
// Go or Python; without one of them, its generators are skipped and named. Exits with 1 if a client fails.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const DOCUMENT = fileURLToPath(new URL('../openapi/v1.json', import.meta.url));
const TYPESCRIPT = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const OPENAPI_GENERATOR = '7.17.0';
const OAPI_CODEGEN = 'v2.8.2';

interface Step {
  readonly program: string;
  readonly args: readonly string[];
  /** Within the folder of the client. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Client {
  readonly name: string;
  /** Programs that must be installed. */
  readonly needs: readonly string[];
  /** @param folder an empty folder */
  readonly steps: (folder: string) => readonly Step[];
}

const work = mkdtempSync(join(tmpdir(), 'check-clients-'));
const jar = join(work, `openapi-generator-cli-${OPENAPI_GENERATOR}.jar`);
const python = join(work, 'venv/bin/python');

const generate = (generator: string, folder: string, ...more: string[]): Step => ({
  program: 'java',
  args: ['-jar', jar, 'generate', '-i', DOCUMENT, '-g', generator, '-o', folder, ...more],
});

/** Imports every module of a package. */
const IMPORT_ALL = `
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + '.')]
for name in names: importlib.import_module(name)
assert len(names) > 50, names`;

const CLIENTS: readonly Client[] = [
  {
    name: 'openapi-generator python',
    needs: ['java', 'mvn', 'python3'],
    steps: (folder) => [
      generate('python', folder),
      { program: python, args: ['-m', 'pip', 'install', '-q', '-r', 'requirements.txt'] },
      { program: python, args: ['-c', IMPORT_ALL, 'openapi_client'] },
    ],
  },
  {
    name: 'openapi-generator java (native)',
    needs: ['java', 'mvn'],
    steps: (folder) => [
      generate('java', folder, '--library', 'native'),
      { program: 'mvn', args: ['-q', 'compile', '-DskipTests'] },
    ],
  },
  {
    name: 'openapi-generator go',
    needs: ['java', 'mvn', 'go'],
    steps: (folder) => [
      generate('go', folder),
      { program: 'go', args: ['mod', 'tidy'] },
      { program: 'go', args: ['build', './...'] },
    ],
  },
  {
    name: 'openapi-generator typescript-fetch',
    needs: ['java', 'mvn'],
    steps: (folder) => [
      generate('typescript-fetch', folder),
      {
        program: process.execPath,
        args: [
          TYPESCRIPT,
          '--noEmit',
          '--strict',
          '--target',
          'es2022',
          '--module',
          'esnext',
          '--moduleResolution',
          'bundler',
          '--lib',
          'es2022,dom',
          'index.ts',
        ],
      },
    ],
  },
  {
    name: `openapi-generator csharp${hasProgram('dotnet') ? '' : ' (only generated: dotnet is not installed)'}`,
    needs: ['java', 'mvn'],
    steps: (folder) => [
      generate('csharp', folder),
      ...(hasProgram('dotnet') ? [{ program: 'dotnet', args: ['build', '-v', 'q'] }] : []),
    ],
  },
  {
    name: 'oapi-codegen',
    needs: ['go'],
    steps: (folder) => [
      {
        program: 'go',
        args: ['install', `github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@${OAPI_CODEGEN}`],
        env: { GOBIN: work },
      },
      {
        program: join(work, 'oapi-codegen'),
        args: ['-generate', 'types,client', '-package', 'client', '-o', join(folder, 'client.go'), DOCUMENT],
      },
      { program: 'go', args: ['mod', 'init', 'client'] },
      { program: 'go', args: ['mod', 'tidy'] },
      { program: 'go', args: ['build', './...'] },
    ],
  },
  {
    name: 'openapi-python-client',
    needs: ['python3'],
    steps: (folder) => [
      { program: python, args: ['-m', 'pip', 'install', '-q', 'openapi-python-client'] },
      {
        program: python,
        args: ['-m', 'openapi_python_client', 'generate', '--path', DOCUMENT, '--output-path', join(folder, 'client')],
      },
      { program: python, args: ['-m', 'pip', 'install', '-q', './client'] },
      { program: python, args: ['-c', IMPORT_ALL, 'biotrack_connect_client'] },
    ],
  },
];

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function hasProgram(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** @returns the output of a failed step */
function run({ program, args, folder = work, env = {} }: Step): string | undefined {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return status === 0 ? undefined : `${program} ${args.join(' ')}\n${stdout}\n${stderr}\n${error ?? ''}`;
}

/** What several clients need, once. */
function prepare(): void {
  if (hasProgram('mvn')) {
    const artifact = `org.openapitools:openapi-generator-cli:${OPENAPI_GENERATOR}`;
    run({ program: 'mvn', args: ['-q', 'dependency:get', `-Dartifact=${artifact}`, '-Dtransitive=false'] });
    run({ program: 'mvn', args: ['-q', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`] });
  }
  if (hasProgram('python3')) run({ program: 'python3', args: ['-m', 'venv', join(work, 'venv')] });
}

prepare();
let [passed, failed, skipped] = [0, 0, 0];
for (const [index, { name, needs, steps }] of CLIENTS.entries()) {
  const missing = needs.filter((program) => !hasProgram(program));
  if (missing.length > 0) {
    skipped += 1;
    print(`SKIPPED ${name}: not installed: ${missing.join(', ')}`);
    continue;
  }
  const folder = join(work, `client-${index}`);
  mkdirSync(folder);
  const problem = steps(folder)
    .map((step) => ({ folder, ...step }))
    .reduce<string | undefined>((found, step) => found ?? run(step), undefined);
  if (problem === undefined) passed += 1;
  else failed += 1;
  print(problem === undefined ? `ok      ${name}` : `FAILED  ${name}\n${problem.slice(-4_000)}`);
}
rmSync(work, { recursive: true, force: true });
print(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
