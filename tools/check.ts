// Checks of the sources, documents and derived files. They need no network. The last one, test/proof, takes the longest. Prints one line for each check and the output of those that failed.
// Exits with 1 if a check failed.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Check {
  readonly name: string;
  /** A program in node_modules and its arguments. */
  readonly command: readonly [program: string, ...args: string[]];
  /** The command that fixes it, if there is one. */
  readonly fix?: string;
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: ['typescript/bin/tsc', '--noEmit'] },
  { name: 'types of the example', command: ['typescript/bin/tsc', '-p', 'examples/settings-page'] },
  { name: 'style', command: ['@biomejs/biome/bin/biome', 'check', '.'], fix: 'npx biome check --write .' },
  {
    name: 'imports',
    command: ['dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs', 'src'],
  },
  { name: 'derived files', command: ['tsx/dist/cli.mjs', 'tools/derive.ts', '--check'], fix: 'npm run derive' },
  { name: 'conventions', command: ['tsx/dist/cli.mjs', 'tools/conventions.ts'] },
  { name: 'OpenAPI document', command: ['@redocly/cli/bin/cli.js', 'lint', 'v1'] },
  { name: 'OpenAPI document, for generators', command: ['tsx/dist/cli.mjs', 'tools/document-rules.ts'] },
  { name: 'released API', command: ['tsx/dist/cli.mjs', 'tools/released.ts'] },
  { name: 'Dockerfile', command: ['dockerfilelint/bin/dockerfilelint', 'Dockerfile'] },
  { name: 'repository', command: ['tsx/dist/cli.mjs', 'tools/test.ts', '--proof'] },
];

/** Keeps the OpenAPI linter from reporting its use and from looking for updates. */
const ENVIRONMENT = {
  ...process.env,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  REDOCLY_SUPPRESS_NOTIFICATIONS: 'true',
};

const print = (text: string): void => void process.stdout.write(`${text}\n`);

interface CheckResult {
  readonly isPassed: boolean;
  readonly output: string;
}

function run([program, ...args]: Check['command']): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', program), ...args], {
      cwd: ROOT,
      env: ENVIRONMENT,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ isPassed: code === 0, output }));
  });
}

let failed = 0;
for (const { name, command, fix } of CHECKS) {
  const startedAt = Date.now();
  const { isPassed, output } = await run(command);
  print(`${isPassed ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  if (isPassed) continue;
  failed += 1;
  print(output.trimEnd());
  if (fix !== undefined) print(`To fix it, run: ${fix}`);
}
print(failed === 0 ? `${CHECKS.length} checks passed` : `${failed} of ${CHECKS.length} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
