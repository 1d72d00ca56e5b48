import { type Files, isDocument } from './files.js';
import type { Finding } from './finding.js';
import { parseMarkdown } from './markdown.js';

/** The `sh` blocks between these lines are one session, which `test/proof/documents.test.ts` pastes into a shell. */
export const SESSION_BEGIN = '<!-- session -->';
export const SESSION_END = '<!-- /session -->';

interface Proof {
  /** The test file that runs the command, or one that differs in its values only. */
  readonly test: string;
  /** Stands in that file. */
  readonly text: string;
}

/** Commands of documents that are neither in a session nor a bare npm script, and the test that runs each. */
const PROVEN: Readonly<Record<string, Proof>> = {};

/** Commands in documents that no test runs. @param proven by command */
export function findUnprovenCommands(files: Files, proven = PROVEN): Finding[] {
  const { scripts = {} } = JSON.parse(files.get('package.json') ?? '{}') as { scripts?: Record<string, string> };
  return [...files].flatMap(([file, text]) => {
    if (!isDocument(file)) return [];
    const sessions = listSessions(text);
    return parseMarkdown(text)
      .blocks.filter(({ language, line }) => language === 'sh' && !sessions.some((within) => within(line)))
      .flatMap(({ text: block, line }) => listCommands(block, line))
      .flatMap(({ command, line }) => {
        const problem = findProblem(command, scripts, files, proven);
        if (problem === undefined) return [];
        const fix = 'run it in a test and name that in tools/conventions/commands.ts, or put it into a session';
        return [{ file, line, problem, fix }];
      });
  });
}

/** The ranges of lines that are sessions. */
function listSessions(text: string): ((line: number) => boolean)[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    if (line !== SESSION_BEGIN) return [];
    const end = lines.indexOf(SESSION_END, index);
    return [(each: number) => each > index + 1 && each <= end];
  });
}

interface Command {
  readonly command: string;
  readonly line: number;
}

/** One for each line, without comments; a line that ends in a backslash goes on in the next one. */
function listCommands(block: string, firstLine: number): Command[] {
  const commands: Command[] = [];
  let begun = '';
  for (const [index, line] of block.split('\n').entries()) {
    const text = line.replace(/(^|\s)#.*$/, '').trim();
    begun = begun === '' ? text : `${begun} ${text}`;
    if (begun.endsWith('\\')) {
      begun = begun.slice(0, -1).trim();
      continue;
    }
    commands.push(
      ...begun.split(' && ').flatMap((command) => (command === '' ? [] : { command, line: firstLine + index })),
    );
    begun = '';
  }
  return commands;
}

function findProblem(
  command: string,
  scripts: Readonly<Record<string, string>>,
  files: Files,
  proven: Readonly<Record<string, Proof>>,
): string | undefined {
  const script = /^npm (?:run (?:--silent )?([\w:-]+)|(test|start|ci))$/.exec(command);
  const name = script?.[1] ?? script?.[2];
  if (name !== undefined)
    return name === 'ci' || name in scripts ? undefined : `package.json has no script "${name}": ${command}`;
  const proof = proven[command];
  if (proof === undefined) return `no test is known to run this command: ${command}`;
  const isThere = files.get(proof.test)?.includes(proof.text) === true;
  return isThere ? undefined : `${proof.test} has no "${proof.text}", which should prove: ${command}`;
}
