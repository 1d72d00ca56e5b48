import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.js';

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean' } as const;

const OPTIONS = {
  'base-url': TEXT,
  'api-key': TEXT,
  tenant: TEXT,
  name: TEXT,
  state: TEXT,
  environment: TEXT,
  ubi: TEXT,
  strategy: TEXT,
  'include-labs': SWITCH,
  username: TEXT,
  password: TEXT,
  'password-file': TEXT,
  description: TEXT,
  license: { type: 'string', multiple: true },
  file: TEXT,
  concurrency: TEXT,
  'wait-seconds': TEXT,
  json: SWITCH,
  'no-progress': SWITCH,
  help: { type: 'boolean', short: 'h' },
} as const;

type OptionName = keyof typeof OPTIONS;
type TextName = { [N in OptionName]: (typeof OPTIONS)[N] extends typeof TEXT ? N : never }[OptionName];
type SwitchName = 'include-labs' | 'json' | 'no-progress' | 'help';

/** The command line as it was typed; what the words mean is judged elsewhere. */
export interface Flags {
  readonly texts: Readonly<Partial<Record<TextName, string>>>;
  readonly switches: ReadonlySet<SwitchName>;
  readonly licenses: readonly string[];
  readonly concurrency: number;
  readonly waitSeconds: number;
}

/** What describes the one tenant of the command line; a file describes its tenants itself. */
const OF_ONE_TENANT: readonly OptionName[] = [
  'tenant',
  'name',
  'state',
  'environment',
  'ubi',
  'strategy',
  'include-labs',
  'username',
  'description',
  'license',
];

/**
 * Reads the command line. Node's own messages quote what they refuse, which may be a mistyped password: these do not.
 * @throws UsageError
 */
export function parseFlags(args: readonly string[]): Flags {
  const { tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const mistakes: string[] = [];
  const texts: Partial<Record<TextName, string>> = {};
  const switches = new Set<SwitchName>();
  const licenses: string[] = [];
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      mistakes.push('There is a word that belongs to no flag; a value with blanks in it needs quotes.');
      break;
    }
    if (!isKnown(token.name)) {
      mistakes.push(`${token.rawName.startsWith('--') ? token.rawName : 'A flag with one dash'} is not known.`);
      break;
    }
    const { name, value, inlineValue } = token;
    if (isSwitch(name)) {
      if (value !== undefined) mistakes.push(`--${name} takes no value.`);
      switches.add(name);
    } else if (value === undefined || (inlineValue === false && value.startsWith('-'))) {
      // What follows may be half of a value, so nothing more is said of it.
      mistakes.push(`--${name} needs a value; write --${name}=… for one that begins with a dash.`);
      break;
    } else if (name === 'license') {
      licenses.push(value);
    } else {
      if (given.has(name)) mistakes.push(`--${name} is given twice.`);
      texts[name] = value;
    }
    given.add(name);
  }
  if (given.has('file')) {
    for (const name of OF_ONE_TENANT) {
      if (given.has(name)) mistakes.push(`--${name} describes one tenant; with --file it belongs into the file.`);
    }
  }
  if (given.has('password') && given.has('password-file')) mistakes.push('--password or --password-file, not both.');
  const concurrency = toNumber('concurrency', texts.concurrency ?? '4', 1, 64, mistakes);
  const waitSeconds = toNumber('wait-seconds', texts['wait-seconds'] ?? '600', 0, 86_400, mistakes);
  // Who asks for help gets it, whatever else is wrong.
  if (mistakes.length > 0 && !switches.has('help')) throw new UsageError(mistakes);
  return { texts, switches, licenses, concurrency, waitSeconds };
}

const isKnown = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

const isSwitch = (name: OptionName): name is SwitchName => OPTIONS[name].type === 'boolean';

function toNumber(name: string, text: string, least: number, most: number, mistakes: string[]): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least || value > most) {
    mistakes.push(`--${name} must be a whole number from ${least} to ${most}.`);
  }
  return value;
}
