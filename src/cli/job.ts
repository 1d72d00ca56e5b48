import { readFile } from 'node:fs/promises';
import { askPassword, canAsk } from './ask-password.js';
import { CliError } from './cli-error.js';
import { baseUrl, type InputError } from './fields.js';
import type { Flags } from './flags.js';
import { Hidden } from './hidden.js';
import { findLocalMode, type LocalMode, toLocalPath } from './local-mode.js';
import { isDemo, toFlagName, toRawTenant } from './one-tenant.js';
import { NO_FIELDS, readTenantFields, type TenantFields, type TenantSpec, toTenantSpec } from './tenant-spec.js';
import { parseTenantsFile } from './tenants-file.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';
import { newUuidV7 } from './uuid-v7.js';

/** The tenants to set up, and the service to use. */
export interface Job {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  readonly specs: readonly TenantSpec[];
  /** The ID generated for a tenant without one. */
  readonly newTenantId: string | undefined;
  readonly isLocal: boolean;
}

/**
 * Combines flags, environment, file and local mode, and prompts for a missing password. Sends no request.
 * @throws UsageError for invalid or missing input
 * @throws CliError if local mode is needed and not running
 */
export async function prepareJob(flags: Flags, terminal: Terminal): Promise<Job> {
  const { env, dataDir } = terminal;
  const password = await findPassword(flags, env);
  const path = flags.texts.file;
  const file = path === undefined ? undefined : parseTenantsFile(path, await readInputFile('--file', path), password);
  const given = findBaseUrl(flags, file?.baseUrl, env);
  const local = given === undefined ? await findLocalMode(dataDir) : undefined;
  if (given === undefined && local === undefined) throw toNotRunningError(dataDir, isDemo(flags));
  const target = local ?? { baseUrl: given ?? '', apiKey: undefined };
  const apiKey = findApiKey(flags, env, target.apiKey);
  const job = { baseUrl: target.baseUrl, apiKey, isLocal: local !== undefined };
  if (file !== undefined) return { ...job, specs: file.specs, newTenantId: undefined };
  const { spec, newTenantId } = await prepareOneTenant(flags, password, local, terminal);
  return { ...job, specs: [spec], newTenantId };
}

async function prepareOneTenant(
  flags: Flags,
  password: Hidden | undefined,
  local: LocalMode | undefined,
  terminal: Terminal,
): Promise<{ spec: TenantSpec; newTenantId: string | undefined }> {
  const asDemo = local !== undefined && isDemo(flags);
  // With --name, a new tenant is created, with the demo tenant's login.
  const isNew = flags.texts.tenant === undefined && !(asDemo && flags.texts.name === undefined);
  const newTenantId = isNew ? newUuidV7() : undefined;
  const raw = toRawTenant(flags, newTenantId);
  const defaults = asDemo ? toDemoDefaults(local) : NO_FIELDS;
  const needsPrompt = !asDemo && password === undefined && canAsk(terminal);
  const build = (known: Hidden | undefined): TenantSpec => {
    const errors: InputError[] = [];
    const own = readTenantFields(raw(known), '', errors);
    const spec = toTenantSpec(own, defaults, '', errors);
    if (errors.length === 0 && spec !== undefined) return spec;
    throw new UsageError(errors.map(({ pointer, detail }) => `${toFlagName(pointer)} ${detail}.`));
  };
  if (!needsPrompt) return { spec: build(asDemo ? undefined : password), newTenantId };
  // Validates the other fields before the prompt.
  const { name, credential } = build(new Hidden('?'));
  const typed = await askPassword(terminal, `BioTrack password for ${credential.username} (${name}): `);
  return { spec: build(typed), newTenantId };
}

const toDemoDefaults = ({ demo }: LocalMode): TenantFields => ({
  values: { name: 'Demo', strategy: 'one_per_license', ...demo.values },
  given: new Set([...demo.given, 'name', 'strategy']),
});

async function findPassword({ texts }: Flags, env: Terminal['env']): Promise<Hidden | undefined> {
  if (texts.password !== undefined) return new Hidden(texts.password);
  const path = texts['password-file'];
  if (path !== undefined) {
    // Editors add a line break at the end of a file.
    return new Hidden((await readInputFile('--password-file', path)).replace(/\r?\n$/, ''));
  }
  return env.BIOTRACK_CONNECT_PASSWORD ? new Hidden(env.BIOTRACK_CONNECT_PASSWORD) : undefined;
}

function findBaseUrl({ texts }: Flags, ofFile: string | undefined, env: Terminal['env']): string | undefined {
  const fromEnv = env.BIOTRACK_CONNECT_URL?.trim() || undefined;
  const [name, text] =
    texts['base-url'] === undefined ? ['BIOTRACK_CONNECT_URL', ofFile ?? fromEnv] : ['--base-url', texts['base-url']];
  if (text === undefined) return undefined;
  const read = baseUrl(text);
  if ('error' in read) throw new UsageError([`${name} ${read.error}.`]);
  return read.value;
}

/** The key of local mode has precedence over the environment, whose key belongs to another service. */
function findApiKey({ texts }: Flags, env: Terminal['env'], localKey: Hidden | undefined): Hidden {
  const key = texts['api-key'] ?? localKey?.reveal() ?? env.BIOTRACK_CONNECT_API_KEY?.trim();
  if (key === undefined || key === '') throw new UsageError(['--api-key or BIOTRACK_CONNECT_API_KEY is required.']);
  // Other characters are not allowed in a header.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new UsageError(['The API key contains invalid characters.']);
  return new Hidden(key);
}

async function readInputFile(name: string, path: string): Promise<string> {
  try {
    // Without the byte order mark that some editors add.
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const problem = error instanceof TypeError ? 'is not valid UTF-8' : 'cannot be read';
    throw new UsageError([`${name}: the file ${path} ${problem}.`]);
  }
}

function toNotRunningError(dataDir: string, isDemo: boolean): Error {
  const path = toLocalPath(dataDir);
  if (!isDemo) {
    return new UsageError([
      `--base-url or BIOTRACK_CONNECT_URL is required, because local mode is not running (${path} does not exist).`,
    ]);
  }
  return new CliError({
    title: 'Local mode is not running',
    detail: `${path} does not exist. Run "npm start" in another terminal, or use --base-url; see --help.`,
    code: 'not_running',
  });
}
