import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { SESSION_BEGIN, SESSION_END } from '../../tools/conventions/commands.js';
import { parseMarkdown } from '../../tools/conventions/markdown.js';
import { buildDist } from './build-dist.js';

/** The sessions of the documents: shell blocks that a test pastes into one shell. */

const ROOT_URL = new URL('../../', import.meta.url);
export const ROOT = fileURLToPath(ROOT_URL);
export const MAIN = buildDist();
const SEPARATOR = '---- next block ----\n';

export const HAS_SHELL = spawnSync('curl', ['--version']).status === 0 && spawnSync('bash', ['--version']).status === 0;

/** A shell block, and the answers that the document shows below it. */
export interface Step {
  readonly command: string;
  readonly documented: readonly unknown[];
}

/** @param path of the document, from the root of the repository */
export async function readSession(path: string): Promise<Step[]> {
  const document = await readFile(new URL(path, ROOT_URL), 'utf8');
  const session = document.slice(document.indexOf(SESSION_BEGIN), document.indexOf(SESSION_END));
  const steps: Step[] = [];
  for (const { language, text } of parseMarkdown(session).blocks) {
    if (language === 'sh') steps.push({ command: text, documented: [] });
    const last = steps.at(-1);
    if (language === 'json' && last !== undefined)
      steps[steps.length - 1] = { ...last, documented: parseAnswers(text) };
  }
  return steps;
}

export interface SessionOptions {
  readonly folder: string;
  readonly variables: Readonly<Record<string, string>>;
}

export interface SessionResult {
  readonly code: number;
  readonly output: string;
  /** What each command printed. */
  readonly printed: readonly string[];
}

/** Runs the commands in one shell, which stops at the first that fails. npm scripts run as package.json defines them. */
export async function runSession(
  commands: readonly string[],
  { folder, variables }: SessionOptions,
): Promise<SessionResult> {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT_URL), 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };
  // npm itself would run in the folder of the repository.
  const toNode = (name: string): string => {
    const script = scripts[name] ?? '';
    if (!script.startsWith('node dist/main.js')) throw new Error(`npm run ${name} is not a command of the service`);
    return script.replace('node dist/main.js', `"${process.execPath}" "${MAIN}"`);
  };
  const script = commands
    .join(`\nprintf '%s' '${SEPARATOR}'\n`)
    .replaceAll(/npm run (?:--silent )?([\w-]+)(?: --(?= ))?/g, (_, name: string) => toNode(name))
    .replaceAll(/npm start/g, () => toNode('start'));
  const bash = spawn('bash', ['-eu', '-c', script], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', ...variables },
  });
  let output = '';
  for (const stream of [bash.stdout, bash.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = await once(bash, 'close');
  return { code: code as number, output, printed: output.split(SEPARATOR) };
}

/** Stands for fields of an object that a document leaves out. */
const OMITTED = '…';

/** The JSON objects of a text. `…` stands for elements or fields that were left out. */
export const parseAnswers = (text: string): unknown[] =>
  text
    .replace(/,\s*…(\s*\])/g, '$1')
    .replace(/,(\s*)…(\s*\})/g, `,$1"${OMITTED}": true$2`)
    .split(/^(?=\{)/m)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part));

/** What a document and an answer look like: field names and types. Fields that the document leaves out are ignored. */
export function toShape(documented: unknown, answer: unknown): { documented: unknown; answer: unknown } {
  if (Array.isArray(documented) && Array.isArray(answer)) {
    if (documented.length === 0 || answer.length === 0) return { documented: [], answer: [] };
    const first = toShape(documented[0], answer[0]);
    return { documented: [first.documented], answer: [first.answer] };
  }
  if (!isObject(documented) || !isObject(answer)) return { documented: toType(documented), answer: toType(answer) };
  const { [OMITTED]: isPartial, ...shown } = documented;
  const names = isPartial === true ? Object.keys(shown) : [...new Set([...Object.keys(shown), ...Object.keys(answer)])];
  const shapes = names.map((name) => [name, toShape(shown[name], answer[name])] as const);
  return {
    documented: Object.fromEntries(shapes.map(([name, shape]) => [name, shape.documented])),
    answer: Object.fromEntries(shapes.map(([name, shape]) => [name, shape.answer])),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const toType = (value: unknown): string => (value === null ? 'null' : typeof value);
