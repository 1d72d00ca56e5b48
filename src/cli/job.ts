import { readFile } from 'node:fs/promises';
import { askPassword, canAsk } from './ask-password.js';
import { CliError } from './failure.js';
import { baseUrl, type FieldMistake } from './fields.js';
import type { Flags } from './flags.js';
import { Hidden } from './hidden.js';
import { findLocalMode, type LocalMode, toLocalPath } from './local-mode.js';
import { isDemo, toFlagName, toRawTenant } from './one-tenant.js';
import { NO_FIELDS, readTenantFields, type TenantFields, type TenantOrder, toTenantOrder } from './tenant-order.js';
import { parseTenantsFile } from './tenants-file.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';
import { newUuidV7 } from './uuid-v7.js';

/** What is to be done, and where. */
export interface Job {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  readonly orders: readonly TenantOrder[];
  /** The id that was made up for a tenant that named none. */
  readonly newTenantId: string | undefined;
  readonly isLocal: boolean;
}

/**
 * Brings flags, environment, file and local mode together, and asks for what a person has to type.
 * @throws UsageError for whatever is wrong or missing, before the first request
 * @throws Failure if local mode is meant and is not there
 */
export async function prepareJob(flags: Flags, terminal: Terminal): Promise<Job> {
  const { env, dataDir } = terminal;
  const password = await findPassword(flags, env);
  const path = flags.texts.file;
  const file = path === undefined ? undefined : parseTenantsFile(path, await readGiven('--file', path), password);
  const given = findBaseUrl(flags, file?.baseUrl, env);
  const local = given === undefined ? await findLocalMode(dataDir) : undefined;
  if (given === undefined && local === undefined) throw nothingRuns(dataDir, isDemo(flags));
  const target = local ?? { baseUrl: given ?? '', apiKey: undefined };
  const apiKey = findApiKey(flags, env, target.apiKey);
  const job = { baseUrl: target.baseUrl, apiKey, isLocal: local !== undefined };
  if (file !== undefined) return { ...job, orders: file.orders, newTenantId: undefined };
  const { order, newTenantId } = await prepareOneTenant(flags, password, local, terminal);
  return { ...job, orders: [order], newTenantId };
}

async function prepareOneTenant(
  flags: Flags,
  password: Hidden | undefined,
  local: LocalMode | undefined,
  terminal: Terminal,
): Promise<{ order: TenantOrder; newTenantId: string | undefined }> {
  const asDemo = local !== undefined && isDemo(flags);
  // A name of its own makes it another tenant than the demo tenant, with the demo login.
  const isNew = flags.texts.tenant === undefined && !(asDemo && flags.texts.name === undefined);
  const newTenantId = isNew ? newUuidV7() : undefined;
  const raw = toRawTenant(flags, newTenantId);
  const defaults = asDemo ? toDemoDefaults(local) : NO_FIELDS;
  const mustAsk = !asDemo && password === undefined && canAsk(terminal);
  const build = (known: Hidden | undefined): TenantOrder => {
    const mistakes: FieldMistake[] = [];
    const own = readTenantFields(raw(known), '', mistakes);
    const order = toTenantOrder(own, defaults, '', mistakes);
    if (mistakes.length === 0 && order !== undefined) return order;
    throw new UsageError(mistakes.map(({ pointer, detail }) => `${toFlagName(pointer)} ${detail}.`));
  };
  if (!mustAsk) return { order: build(asDemo ? undefined : password), newTenantId };
  // Nobody types a password only to hear that something else was missing.
  const { name, credential } = build(new Hidden('?'));
  const typed = await askPassword(terminal, `BioTrack password of ${credential.username} (${name}): `);
  return { order: build(typed), newTenantId };
}

/** The demo tenant as a start leaves it; the strategy is the one that a person would be advised to. */
const toDemoDefaults = ({ demo }: LocalMode): TenantFields => ({
  values: { name: 'Demo', strategy: 'one_per_license', ...demo.values },
  given: new Set([...demo.given, 'name', 'strategy']),
});

async function findPassword({ texts }: Flags, env: Terminal['env']): Promise<Hidden | undefined> {
  if (texts.password !== undefined) return new Hidden(texts.password);
  const path = texts['password-file'];
  if (path !== undefined) {
    // Editors end a file with a line break, which is no part of the password.
    return new Hidden((await readGiven('--password-file', path)).replace(/\r?\n$/, ''));
  }
  return env.BIOTRACK_CONNECT_PASSWORD ? new Hidden(env.BIOTRACK_CONNECT_PASSWORD) : undefined;
}

function findBaseUrl({ texts }: Flags, ofFile: string | undefined, env: Terminal['env']): string | undefined {
  const fromEnv = env.BIOTRACK_CONNECT_URL?.trim() || undefined;
  const [name, text] =
    texts['base-url'] === undefined ? ['BIOTRACK_CONNECT_URL', ofFile ?? fromEnv] : ['--base-url', texts['base-url']];
  if (text === undefined) return undefined;
  const read = baseUrl(text);
  if ('refusal' in read) throw new UsageError([`${name} ${read.refusal}.`]);
  return read.value;
}

/** A local mode that was found by itself is talked to with its own key: one of the environment is for elsewhere. */
function findApiKey({ texts }: Flags, env: Terminal['env'], ofLocal: Hidden | undefined): Hidden {
  const key = texts['api-key'] ?? ofLocal?.reveal() ?? env.BIOTRACK_CONNECT_API_KEY?.trim();
  if (key === undefined || key === '') throw new UsageError(['--api-key or BIOTRACK_CONNECT_API_KEY is required.']);
  // Anything else cannot stand in a header.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new UsageError(['The API key has characters that no key has.']);
  return new Hidden(key);
}

async function readGiven(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    throw new UsageError([`${name}: the file ${path} cannot be read.`]);
  }
}

function nothingRuns(dataDir: string, isDemoMeant: boolean): Error {
  const path = toLocalPath(dataDir);
  if (!isDemoMeant) {
    return new UsageError([
      `--base-url or BIOTRACK_CONNECT_URL is required: no local mode is running here (there is no ${path}).`,
    ]);
  }
  return new CliError({
    title: 'No local mode is running here',
    detail: `there is no ${path}. Start it with "npm start" in another terminal, or say --base-url; --help tells more.`,
    code: 'not_running',
  });
}
