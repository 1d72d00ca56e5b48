import { isIP } from 'node:net';
import { Secret } from './domain/secret.js';

export const PROCESS_ROLES = ['all', 'api', 'worker'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** What the service reads from its environment, except the secrets. */
export interface Config {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Base URL of links in responses; undefined: the address that the service listens on. */
  readonly publicUrl: string | undefined;
  /** 0: no metrics. */
  readonly metricsPort: number;
  readonly databasePoolSize: number;
  readonly role: ProcessRole;
  readonly statesFile: string | undefined;
  readonly vaultKeysetFile: string | undefined;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly directoryMaxAgeSeconds: number;
  readonly syncIntervalSeconds: number;
  /** 100: no guard. */
  readonly guardRemovalPercent: number;
  readonly retention: {
    readonly runsDays: number;
    readonly previewsHours: number;
    readonly changesDays: number;
    readonly auditDays: number;
  };
  /** Per process, of each caller and of each address without a valid key or token. */
  readonly rateLimits: { readonly perMinute: number; readonly unauthenticatedPerMinute: number };
  /** Addresses of proxies; false: no proxy. */
  readonly trustProxy: string | false;
  /** Origins whose pages may call the API. */
  readonly corsOrigins: readonly string[];
  /** Between two forced refreshes of a tenant; 0: no minimum. */
  readonly forcedRefreshSeconds: number;
  /** Per process; 0: no cache. */
  readonly listCacheMegabytes: number;
  /** The host application's tokens; undefined: tokens are rejected. */
  readonly jwt: JwtConfig | undefined;
}

export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  /** Source of the public keys: exactly one of the URL and the file is set. */
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly maxLifetimeSeconds: number;
}

export interface Secrets {
  /** Undefined: local mode, with an embedded Postgres. */
  readonly databaseUrl: Secret | undefined;
  /** A session connection for migrations and the queue. Defaults to `databaseUrl`. */
  readonly databaseDirectUrl: Secret | undefined;
  /** For requests to BioTrack. The URL can contain a user and a password. `except`: hosts without proxy. */
  readonly proxy: { readonly url: Secret; readonly except: string } | undefined;
}

/** An invalid environment. The message names variables and never contains their values. */
export class ConfigError extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

/** One environment variable as docs/configuration.md shows it. */
export interface ConfigVariable {
  readonly name: string;
  /** The accepted values, in plain text. */
  readonly format: string;
  /** The literal default value; undefined: `whenUnset` says what happens without a value. */
  readonly default: string | undefined;
  readonly whenUnset: string | undefined;
  /** One sentence or two, in Markdown. */
  readonly description: string;
}

/** An entry of `VARIABLES`: the documentation and the parser of one variable. */
interface Variable<T> extends Omit<ConfigVariable, 'name'> {
  /** The value when the variable is unset. */
  readonly preset: T;
  /** @throws InvalidValue */
  readonly parse: (text: string) => T;
}

/** Says what the value must be; never quotes it. */
class InvalidValue extends Error {}

const VARIABLES = {
  DATABASE_URL: url(['postgres:', 'postgresql:'], {
    description:
      'Postgres. May point to a transaction-mode pooler. Required when `NODE_ENV` is `production`. For a database on another machine, `sslmode` must be set: `verify-full`, or `disable` on a trusted network. `?host=/folder` names a socket.',
    isDatabase: true,
    whenUnset: 'local mode with an embedded Postgres',
  }),
  DATABASE_DIRECT_URL: url(['postgres:', 'postgresql:'], {
    description: 'A session connection to the same database, for migrations and the job queue.',
    isDatabase: true,
    whenUnset: 'same as `DATABASE_URL`',
  }),
  DATABASE_POOL_SIZE: integer(2, 1_000, 10, 'Maximum number of database connections per process.'),
  HOST: text('Address that the API and the metrics listen on.', { preset: '127.0.0.1' }),
  PORT: integer(0, 65_535, 3_000, 'Port of the API. `0` selects a free port, in local mode only.'),
  PUBLIC_URL: url(['http:', 'https:'], {
    description:
      'Base URL of links in responses and of the documentation. Can have a path, which the proxy in front of the service removes.',
    whenUnset: '`http://HOST:PORT`',
    isBare: true,
  }),
  ROLE: oneOf(
    PROCESS_ROLES,
    'all',
    'What this process runs: the API, the sync worker, or both, with the worker as a second process.',
  ),
  VAULT_KEYSET_FILE: text('File with the keys that encrypt BioTrack passwords. Required with `DATABASE_URL`.', {
    whenUnset: 'local mode creates a keyset',
  }),
  BIOTRACK_STATES_FILE: text(
    'JSON file that replaces the built-in list of states with their BioTrack URLs and license types.',
    {
      whenUnset: 'built-in states',
    },
  ),
  HTTPS_PROXY: url(['http:', 'https:'], {
    description:
      'Proxy for requests to BioTrack, with user and password if it requires them. Loopback addresses never use it.',
    whenUnset: 'no proxy',
  }),
  NO_PROXY: text(
    'Hosts that are reached without `HTTPS_PROXY`, separated by commas. A name also matches its subdomains; `*` matches all hosts.',
    { preset: '', whenUnset: 'none' },
  ),
  DIRECTORY_MAX_AGE_SECONDS: integer(
    1,
    604_800,
    600,
    "Maximum age of a state's mirrored license list. A sync fetches the list again when it is older.",
  ),
  SYNC_INTERVAL_SECONDS: integer(1, 604_800, 3_600, 'Time between two scheduled checks of a state, ±10 %.'),
  FORCED_REFRESH_SECONDS: integer(
    0,
    3_600,
    30,
    'Minimum time between two forced refreshes of one tenant. A request within it returns the active run, or 429.',
  ),
  GUARD_REMOVAL_PERCENT: integer(
    0,
    100,
    10,
    "Reject a state's list that would remove more than this percentage of its licenses, and hold a tenant's sync for review when it would change more than this percentage. Up to 10 licenses can always change, unless they are more than half of a list. `100` disables both checks.",
  ),
  RETENTION_RUNS_DAYS: integer(
    1,
    3_650,
    90,
    'How long runs are kept. Open reviews, the last successful run and the last failure of a tenant, and runs that created companies are always kept.',
  ),
  RETENTION_PREVIEWS_HOURS: integer(
    1,
    8_760,
    24,
    'How long previews that were not applied are kept. A tenant keeps at most 5.',
  ),
  RETENTION_CHANGES_DAYS: integer(
    30,
    3_650,
    400,
    'How long the change feed is kept. Clients that have not read it for so long begin again with a snapshot. The last change of a tenant is always kept.',
  ),
  RETENTION_AUDIT_DAYS: integer(30, 3_650, 730, 'How long the audit is kept, also that of deleted tenants.'),
  METRICS_PORT: integer(0, 65_535, 9_464, 'Port of the Prometheus metrics (`/metrics`). `0` disables them.'),
  JWT_ISSUER: text("Required `iss` claim of the host application's tokens.", { whenUnset: 'tokens are rejected' }),
  JWT_AUDIENCE: text("Required `aud` claim of the host application's tokens.", { whenUnset: 'tokens are rejected' }),
  JWT_JWKS_URL: url(['https:', 'http:'], {
    description:
      "URL of the host application's public keys (`http://` only for localhost). Keys are cached for 10 minutes; an unknown key ID triggers a refetch at most every 30 seconds.",
    whenUnset: '`JWT_JWKS_FILE` is used',
  }),
  JWT_JWKS_FILE: text("File with the host application's public keys, instead of `JWT_JWKS_URL`.", {
    whenUnset: '`JWT_JWKS_URL` is used',
  }),
  JWT_MAX_LIFETIME_SECONDS: integer(
    60,
    2_592_000,
    86_400,
    'Tokens that expire later than this from now are rejected, because a leaked one would be valid for too long.',
  ),
  RATE_LIMIT_PER_MINUTE: integer(
    1,
    1_000_000,
    6_000,
    'Requests per minute that one process accepts from one caller. Further requests return 429.',
  ),
  RATE_LIMIT_UNAUTHENTICATED_PER_MINUTE: integer(
    1,
    1_000_000,
    600,
    'Requests per minute without a valid key or token that one process accepts from one address. Never limits a valid caller or a health check.',
  ),
  TRUST_PROXY: {
    format: 'IP addresses and networks separated by commas',
    default: undefined,
    whenUnset: 'the address of the connection',
    description: 'Proxies whose `X-Forwarded-For` has the address of the caller.',
    preset: false as string | false,
    parse: parseProxies,
  },
  CORS_ORIGINS: {
    format: 'origins separated by commas, such as https://app.example.com',
    default: undefined,
    whenUnset: 'no browser application of another origin can call the API',
    description:
      'Origins of browser applications that may call the API: scheme, host and port, without a path. `*` is refused.',
    preset: [] as readonly string[],
    parse: parseOrigins,
  },
  LIST_CACHE_MEGABYTES: integer(
    0,
    16_384,
    32,
    "Memory per process for cached pages of companies and changes. `0` disables the cache. A state's list is cached separately, until one minute after a sync last used it (tens of megabytes at 100,000 licenses).",
  ),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info', 'Lowest level that is logged.'),
  DATA_DIR: text("Local mode's data folder.", { preset: '.data' }),
  NODE_ENV: text('`production` disables local mode.', { whenUnset: 'local mode is allowed' }),
} as const;

type VariableName = keyof typeof VARIABLES;
type ValueOf<N extends VariableName> = (typeof VARIABLES)[N]['preset'];

/** Every environment variable that the service reads, in the order of docs/configuration.md. */
export const CONFIG_VARIABLES: readonly ConfigVariable[] = Object.entries(VARIABLES).map(
  ([name, { format, default: value, whenUnset, description }]) => ({
    name,
    format,
    default: value,
    whenUnset,
    description,
  }),
);

/**
 * Reads the environment once. An empty value counts as unset.
 * @throws ConfigError that names every invalid or missing variable
 */
export function readEnv(env: Environment): { readonly config: Config; readonly secrets: Secrets } {
  const reader = new Reader(env);
  const databaseUrl = reader.read('DATABASE_URL');
  const directUrl = reader.read('DATABASE_DIRECT_URL');
  const httpsProxy = reader.read('HTTPS_PROXY');
  const noProxy = reader.read('NO_PROXY');
  const config: Config = {
    host: reader.read('HOST'),
    port: reader.read('PORT'),
    publicUrl: reader.read('PUBLIC_URL'),
    metricsPort: reader.read('METRICS_PORT'),
    databasePoolSize: reader.read('DATABASE_POOL_SIZE'),
    role: reader.read('ROLE'),
    statesFile: reader.read('BIOTRACK_STATES_FILE'),
    vaultKeysetFile: reader.read('VAULT_KEYSET_FILE'),
    dataDir: reader.read('DATA_DIR'),
    logLevel: reader.read('LOG_LEVEL'),
    directoryMaxAgeSeconds: reader.read('DIRECTORY_MAX_AGE_SECONDS'),
    syncIntervalSeconds: reader.read('SYNC_INTERVAL_SECONDS'),
    guardRemovalPercent: reader.read('GUARD_REMOVAL_PERCENT'),
    retention: {
      runsDays: reader.read('RETENTION_RUNS_DAYS'),
      previewsHours: reader.read('RETENTION_PREVIEWS_HOURS'),
      changesDays: reader.read('RETENTION_CHANGES_DAYS'),
      auditDays: reader.read('RETENTION_AUDIT_DAYS'),
    },
    rateLimits: {
      perMinute: reader.read('RATE_LIMIT_PER_MINUTE'),
      unauthenticatedPerMinute: reader.read('RATE_LIMIT_UNAUTHENTICATED_PER_MINUTE'),
    },
    trustProxy: reader.read('TRUST_PROXY'),
    corsOrigins: reader.read('CORS_ORIGINS'),
    forcedRefreshSeconds: reader.read('FORCED_REFRESH_SECONDS'),
    listCacheMegabytes: reader.read('LIST_CACHE_MEGABYTES'),
    jwt: readJwt(reader),
  };
  if (!reader.isSet('DATABASE_URL')) {
    if (reader.read('NODE_ENV') === 'production')
      reader.reject('DATABASE_URL', 'is required when NODE_ENV is production');
    if (reader.isSet('DATABASE_DIRECT_URL'))
      reader.reject('DATABASE_URL', 'is required when DATABASE_DIRECT_URL is set');
    if (config.role !== 'all') reader.reject('DATABASE_URL', 'is required when ROLE is not all');
  } else if (config.port === 0) {
    reader.reject('PORT', 'must not be 0 when DATABASE_URL is set, because links contain the port');
  }
  reader.finish();
  const toSecret = (value: string | undefined): Secret | undefined =>
    value === undefined ? undefined : new Secret(value);
  return {
    config: Object.freeze(config),
    secrets: Object.freeze({
      databaseUrl: toSecret(databaseUrl),
      databaseDirectUrl: toSecret(directUrl ?? databaseUrl),
      proxy: httpsProxy === undefined ? undefined : { url: new Secret(httpsProxy), except: noProxy },
    }),
  };
}

/** The JWT variables are set together or not at all: a partial configuration would reject every token. */
function readJwt(reader: Reader): JwtConfig | undefined {
  const names = ['JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_JWKS_URL', 'JWT_JWKS_FILE'] as const;
  const [hasIssuer, hasAudience, hasUrl, hasFile] = names.map((name) => reader.isSet(name));
  if (!(hasIssuer || hasAudience || hasUrl || hasFile)) return undefined;
  const jwksUrl = reader.read('JWT_JWKS_URL');
  const because = 'is required when another JWT_… variable is set';
  if (!hasIssuer) reader.reject('JWT_ISSUER', because);
  if (!hasAudience) reader.reject('JWT_AUDIENCE', because);
  if (!hasUrl && !hasFile) reader.reject('JWT_JWKS_URL', `or JWT_JWKS_FILE ${because}`);
  if (hasUrl && hasFile) reader.reject('JWT_JWKS_FILE', 'must not be set together with JWT_JWKS_URL');
  if (jwksUrl?.startsWith('http:') && !LOOPBACK.test(jwksUrl)) {
    reader.reject('JWT_JWKS_URL', 'must be an https:// URL, except for localhost');
  }
  return Object.freeze({
    issuer: reader.read('JWT_ISSUER') ?? '',
    audience: reader.read('JWT_AUDIENCE') ?? '',
    jwksUrl,
    jwksFile: reader.read('JWT_JWKS_FILE'),
    maxLifetimeSeconds: reader.read('JWT_MAX_LIFETIME_SECONDS'),
  });
}

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)([:/]|$)/;

class Reader {
  readonly #env: Environment;
  readonly #errors: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  reject(name: VariableName, detail: string): void {
    this.#errors.push(`${name} ${detail}`);
  }

  isSet(name: VariableName): boolean {
    return (this.#env[name]?.trim() ?? '') !== '';
  }

  read<N extends VariableName>(name: N): ValueOf<N> {
    // TypeScript does not relate the parser of a generic name to its value.
    const { preset, parse } = VARIABLES[name] as unknown as Variable<ValueOf<N>>;
    if (!this.isSet(name)) return preset;
    try {
      return parse(this.#env[name]?.trim() ?? '');
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      this.reject(name, error.message);
      return preset;
    }
  }

  finish(): void {
    if (this.#errors.length > 0) throw new ConfigError(this.#errors.join('\n'));
  }
}

function text<P extends string | undefined = undefined>(
  description: string,
  { preset, whenUnset }: { readonly preset?: P; readonly whenUnset?: string },
): Variable<string | P> {
  return {
    format: 'text',
    default: whenUnset === undefined ? preset : undefined,
    whenUnset,
    description,
    preset: preset as P,
    parse: (value) => value,
  };
}

function integer(min: number, max: number, preset: number, description: string): Variable<number> {
  const format = `integer from ${min} to ${max}`;
  return {
    format,
    default: String(preset),
    whenUnset: undefined,
    description,
    preset,
    parse(value) {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < min || number > max) throw new InvalidValue(`must be an ${format}`);
      return number;
    },
  };
}

function oneOf<T extends string>(values: readonly T[], preset: T, description: string): Variable<T> {
  return {
    format: `one of: ${values.join(', ')}`,
    default: preset,
    whenUnset: undefined,
    description,
    preset,
    parse(value) {
      const found = values.find((candidate) => candidate === value);
      if (found === undefined) throw new InvalidValue(`must be one of: ${values.join(', ')}`);
      return found;
    },
  };
}

/** As `proxy-addr` accepts them: https://www.npmjs.com/package/proxy-addr */
function parseProxies(value: string): string {
  const isNetwork = (part: string): boolean => {
    const [address = '', bits, ...rest] = part.trim().split('/');
    const version = isIP(address);
    return (
      version !== 0 &&
      rest.length === 0 &&
      (bits === undefined ||
        (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128)))
    );
  };
  if (value.split(',').every(isNetwork)) return value;
  throw new InvalidValue('must be IP addresses or networks separated by commas');
}

function parseOrigins(value: string): readonly string[] {
  return value.split(',').map((part) => {
    const origin = part.trim();
    const isOrigin = /^https?:\/\/[^*]+$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
    if (!isOrigin) throw new InvalidValue('must be origins separated by commas, such as https://app.example.com');
    return origin;
  });
}

function isRemote({ hostname, searchParams }: URL): boolean {
  const host = searchParams.get('host') ?? hostname;
  return host !== '' && !host.startsWith('/') && !/^(127\.[\d.]+|\[?::1\]?|localhost)$/.test(host);
}

interface UrlOptions {
  readonly description: string;
  readonly whenUnset: string;
  /** Only an origin and a path. */
  readonly isBare?: boolean;
  /** A database of another machine must say whether the connection is encrypted. */
  readonly isDatabase?: boolean;
}

function url(
  protocols: readonly string[],
  { description, whenUnset, isBare = false, isDatabase = false }: UrlOptions,
): Variable<string | undefined> {
  const prefixes = protocols.map((protocol) => `${protocol}//`).join(' or ');
  return {
    format: `URL with ${prefixes}`,
    default: undefined,
    whenUnset,
    description,
    preset: undefined,
    parse(value) {
      const parsed = URL.canParse(value) ? new URL(value) : undefined;
      if (parsed === undefined || !protocols.includes(parsed.protocol)) {
        const hint = isDatabase ? '; percent-encode special characters in the user and the password' : '';
        throw new InvalidValue(`must be a URL that starts with ${prefixes}${hint}`);
      }
      if (isDatabase && isRemote(parsed) && !parsed.searchParams.has('sslmode'))
        throw new InvalidValue('must have ?sslmode=verify-full, or ?sslmode=disable on a trusted network');
      if (isBare && (parsed.search || parsed.hash || parsed.username || parsed.password)) {
        throw new InvalidValue('must not contain a user, a query or a fragment');
      }
      return value;
    },
  };
}
