import { ADVICE, type AnswerClass, type Remedy } from './answers.js';
import { REFUSAL_CLASSES } from './refusals.js';
import { TROUBLE_CLASSES } from './troubles.js';

const BEGIN = '<!-- answers: made by `npm run derive` from its data -->';
const END = '<!-- /answers -->';

const MENDERS: Readonly<Record<Remedy, string>> = {
  user: 'the user',
  operator: 'the operator',
  state: 'the state',
  nobody: 'nobody',
};

const AGAIN: Readonly<Record<AnswerClass['again'], string>> = { always: 'yes', reads: 'reads only', never: 'no' };

/** The classification as a Markdown table: answer → reason → what the user sees. */
export function renderAnswerTable(): string {
  const refusals: readonly AnswerClass[] = Object.values(REFUSAL_CLASSES);
  const troubles: readonly AnswerClass[] = Object.values(TROUBLE_CLASSES);
  const rows = [...refusals, ...troubles].map((row) => [
    row.answer,
    row.source,
    `\`${row.reason}\``,
    AGAIN[row.again],
    row.retryable ? 'yes' : 'no',
    MENDERS[row.mender],
    row.advice ?? ADVICE[row.reason],
  ]);
  const head = ['answer', 'known', 'reason', 'again at once', 'again later', 'mended by', 'what the user sees'];
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** The README with its table as it has to be now. */
export function withAnswerTable(readme: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('the README has no place for the table of answers');
  return `${readme.slice(0, begin)}${BEGIN}\n${renderAnswerTable()}\n${readme.slice(end)}`;
}
