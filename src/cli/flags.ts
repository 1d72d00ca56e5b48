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
  'login-license': TEXT,
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

/** The parsed command line. Values of a tenant are validated later, with the same rules as those of a file. */
export interface Flags {
  readonly texts: Readonly<Partial<Record<TextName, string>>>;
  readonly switches: ReadonlySet<SwitchName>;
  readonly licenses: readonly string[];
  readonly concurrency: number;
  readonly waitSeconds: number;
}

/** Flags that cannot be combined with --file. */
const SINGLE_TENANT_FLAGS: readonly OptionName[] = [
  'tenant',
  'name',
  'state',
  'environment',
  'ubi',
  'strategy',
  'include-labs',
  'username',
  'login-license',
  'description',
  'license',
];

/**
 * Parses the command line. Unlike Node's messages, the errors never quote a value, which may be a mistyped password.
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
  const errors: string[] = [];
  const texts: Partial<Record<TextName, string>> = {};
  const switches = new Set<SwitchName>();
  const licenses: string[] = [];
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      errors.push('Unexpected argument; a value with spaces needs quotes.');
      break;
    }
    if (!isKnown(token.name)) {
      errors.push(`Unknown flag${token.rawName.startsWith('--') ? `: ${token.rawName}` : ' with a single dash'}.`);
      break;
    }
    const { name, value, inlineValue } = token;
    if (isSwitch(name)) {
      if (value !== undefined) errors.push(`--${name} takes no value.`);
      switches.add(name);
    } else if (value === undefined || (inlineValue === false && value.startsWith('-'))) {
      // The rest may be part of a value, so it is not checked.
      errors.push(`--${name} needs a value; use --${name}=… if the value starts with a dash.`);
      break;
    } else if (name === 'license') {
      licenses.push(value);
    } else {
      if (given.has(name)) errors.push(`--${name} must not be repeated.`);
      texts[name] = value;
    }
    given.add(name);
  }
  if (given.has('file')) {
    for (const name of SINGLE_TENANT_FLAGS) {
      if (given.has(name)) errors.push(`--${name} cannot be combined with --file; set it in the file.`);
    }
  }
  if (given.has('password') && given.has('password-file'))
    errors.push('--password cannot be combined with --password-file.');
  const concurrency = toNumber('concurrency', texts.concurrency ?? '4', 1, 64, errors);
  const waitSeconds = toNumber('wait-seconds', texts['wait-seconds'] ?? '600', 0, 86_400, errors);
  if (errors.length > 0 && !switches.has('help')) throw new UsageError(errors);
  return { texts, switches, licenses, concurrency, waitSeconds };
}

const isKnown = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

const isSwitch = (name: OptionName): name is SwitchName => OPTIONS[name].type === 'boolean';

function toNumber(name: string, text: string, min: number, max: number, errors: string[]): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < min || value > max) {
    errors.push(`--${name} must be an integer from ${min} to ${max}.`);
  }
  return value;
}
