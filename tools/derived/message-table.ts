import { MESSAGES } from '../../src/domain/message.js';

const BEGIN = '<!-- messages: written by `npm run derive messages` -->';
const END = '<!-- /messages -->';

/** Returns docs/api-guide.md with the current table of messages for users. */
export function withMessageTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/api-guide.md has no markers for the table of messages');
  return `${document.slice(0, begin)}${BEGIN}\n${renderTable()}\n${document.slice(end)}`;
}

/** Codes with the same params share a row. */
function renderTable(): string {
  const codes = new Map<string, string[]>();
  for (const [code, params] of Object.entries(MESSAGES)) {
    const key = params.map((name) => `\`${name}\``).join(', ');
    codes.set(key, [...(codes.get(key) ?? []), `\`${code}\``]);
  }
  const rows = [...codes].map(([params, names]) => [names.join(', '), params === '' ? 'none' : params]);
  return [['code', 'params'], ['---', '---'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
