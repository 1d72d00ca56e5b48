// Everything that can be judged without running the service. Prints a line for each check, the whole output of those
// that failed, and ends with exit code 1 if one did. Nothing here asks the network.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Check {
  readonly name: string;
  /** One of our tools in node_modules, and what it is told. */
  readonly command: readonly [tool: string, ...args: string[]];
  /** How to mend it, where a command can. */
  readonly repair?: string;
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: ['typescript/bin/tsc', '--noEmit'] },
  { name: 'style', command: ['@biomejs/biome/bin/biome', 'check', '.'], repair: 'npx biome check --write .' },
  {
    name: 'imports',
    command: ['dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs', 'src'],
  },
  { name: 'derived files', command: ['tsx/dist/cli.mjs', 'tools/derive.ts', '--check'], repair: 'npm run derive' },
  { name: 'OpenAPI document', command: ['@redocly/cli/bin/cli.js', 'lint', 'v1'] },
  { name: 'released API', command: ['tsx/dist/cli.mjs', 'tools/released.ts'] },
  { name: 'Dockerfile', command: ['dockerfilelint/bin/dockerfilelint', 'Dockerfile'] },
];

/** The linter of the document would tell its maker that it was used, and ask whether there is a newer one. */
const ENVIRONMENT = {
  ...process.env,
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  REDOCLY_SUPPRESS_NOTIFICATIONS: 'true',
};

const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Outcome {
  readonly isGood: boolean;
  readonly output: string;
}

function run([tool, ...args]: Check['command']): Promise<Outcome> {
  return new Promise((done, refuse) => {
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', tool), ...args], { cwd: ROOT, env: ENVIRONMENT });
    let output = '';
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', refuse);
    child.on('close', (code) => done({ isGood: code === 0, output }));
  });
}

let failed = 0;
for (const { name, command, repair } of CHECKS) {
  const begin = Date.now();
  const { isGood, output } = await run(command);
  say(`${isGood ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - begin) / 1000).toFixed(1)} s)`);
  if (isGood) continue;
  failed += 1;
  say(output.trimEnd());
  if (repair !== undefined) say(`Mend it with: ${repair}`);
}
say(failed === 0 ? `${CHECKS.length} checks passed` : `${failed} of ${CHECKS.length} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
