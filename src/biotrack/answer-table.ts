import { ADVICE, type Answer, type Mender } from './answers.js';
import { REFUSALS } from './refusals.js';
import { TROUBLES } from './troubles.js';

const BEGIN = '<!-- answers: made by `npm run derive` from its data -->';
const END = '<!-- /answers -->';

const MENDERS: Readonly<Record<Mender, string>> = {
  user: 'the user',
  operator: 'the operator',
  state: 'the state',
  nobody: 'nobody',
};

const AGAIN: Readonly<Record<Answer['again'], string>> = { always: 'yes', reads: 'reads only', never: 'no' };

/** The classification as a Markdown table: answer → reason → what the user sees. */
export function renderAnswerTable(): string {
  const refusals: readonly Answer[] = Object.values(REFUSALS);
  const troubles: readonly Answer[] = Object.values(TROUBLES);
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
