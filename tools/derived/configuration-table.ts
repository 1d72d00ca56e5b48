import { CONFIG_VARIABLES } from '../../src/config.js';

const BEGIN = '<!-- variables: written by `npm run derive` -->';
const END = '<!-- /variables -->';

/** Returns docs/configuration.md with the current table of environment variables. */
export function withConfigurationTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/configuration.md has no markers for the table of variables');
  return `${document.slice(0, begin)}${BEGIN}\n${renderTable()}\n${document.slice(end)}`;
}

function renderTable(): string {
  const rows = CONFIG_VARIABLES.map(({ name, description, format, default: value, whenUnset }) => [
    `\`${name}\``,
    description,
    format,
    value === undefined ? (whenUnset ?? '') : `\`${value}\``,
  ]);
  return [['variable', 'meaning', 'value', 'default'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}
