import { Secret } from './domain/secret.js';

export const PROCESS_ROLES = ['all', 'api', 'worker'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** How the service is to run; nothing in it is secret. */
export interface Config {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The base of links; undefined: the address that is listened on. */
  readonly publicUrl: string | undefined;
  /** Where metrics are read, on the same host; 0: nowhere. */
  readonly metricsPort: number;
  readonly databasePoolSize: number;
  readonly role: ProcessRole;
  /** A file that replaces the shipped list of states. */
  readonly statesFile: string | undefined;
  readonly vaultKeysetFile: string | undefined;
  readonly dataDir: string;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly directoryMaxAgeSeconds: number;
  /** Between two syncs of a tenant that nobody asks for. */
  readonly syncIntervalSeconds: number;
  /** 100: nothing is guarded. */
  readonly guardRemovalPercent: number;
  /** Requests of one caller a minute, in one process. */
  readonly rateLimitPerMinute: number;
  /** Of pages of lists that one process keeps to send them again while nothing has changed; 0: none. */
  readonly listCacheMegabytes: number;
  /** The host application's tokens; undefined: it sends none. */
  readonly jwt: JwtConfig | undefined;
}

export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  /** Where the public keys are: an address, or else a file. */
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
}

export interface Secrets {
  /** Undefined: local mode, with a database of its own. */
  readonly databaseUrl: Secret | undefined;
  /** A session connection for migrations and the queue; the same as `databaseUrl` unless told. */
  readonly databaseDirectUrl: Secret | undefined;
}

/** What is wrong with the environment: names variables, never shows their values. */
export class ConfigError extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment, once. An empty value counts as unset.
 * @throws ConfigError that names every variable that is wrong or missing
 */
export function readEnv(env: Environment): { readonly config: Config; readonly secrets: Secrets } {
  const read = new Reader(env);
  const isProduction = read.text('NODE_ENV') === 'production';
  const databaseUrl = read.url('DATABASE_URL', ['postgres:', 'postgresql:']);
  const config: Config = {
    host: read.text('HOST') ?? '127.0.0.1',
    port: read.integer('PORT', 3000, 0, 65_535),
    publicUrl: read.url('PUBLIC_URL', ['http:', 'https:'], { bare: true }),
    metricsPort: read.integer('METRICS_PORT', 9464, 0, 65_535),
    databasePoolSize: read.integer('DATABASE_POOL_SIZE', 10, 2, 1_000),
    role: read.oneOf('ROLE', PROCESS_ROLES, 'all'),
    statesFile: read.text('BIOTRACK_STATES_FILE'),
    vaultKeysetFile: read.text('VAULT_KEYSET_FILE'),
    dataDir: read.text('DATA_DIR') ?? '.data',
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    directoryMaxAgeSeconds: read.integer('DIRECTORY_MAX_AGE_SECONDS', 600, 1, 604_800),
    syncIntervalSeconds: read.integer('SYNC_INTERVAL_SECONDS', 3_600, 1, 604_800),
    guardRemovalPercent: read.integer('GUARD_REMOVAL_PERCENT', 10, 0, 100),
    rateLimitPerMinute: read.integer('RATE_LIMIT_PER_MINUTE', 6_000, 1, 1_000_000),
    listCacheMegabytes: read.integer('LIST_CACHE_MEGABYTES', 32, 0, 16_384),
    jwt: readJwt(read),
  };
  const directUrl = read.url('DATABASE_DIRECT_URL', ['postgres:', 'postgresql:']);
  if (databaseUrl === undefined) {
    if (isProduction) read.refuse('DATABASE_URL', 'is required when NODE_ENV is production');
    if (directUrl !== undefined) read.refuse('DATABASE_URL', 'is required when DATABASE_DIRECT_URL is set');
    if (config.role !== 'all') read.refuse('DATABASE_URL', 'is required when ROLE is not all');
  } else if (config.port === 0) {
    read.refuse('PORT', 'must not be 0 when DATABASE_URL is set: links could not say where');
  }
  read.finish();
  const toSecret = (text: string | undefined): Secret | undefined =>
    text === undefined ? undefined : new Secret(text);
  return {
    config: Object.freeze(config),
    secrets: Object.freeze({
      databaseUrl: toSecret(databaseUrl),
      databaseDirectUrl: toSecret(directUrl ?? databaseUrl),
    }),
  };
}

/** All of it or nothing: half of it would turn everybody away. */
function readJwt(read: Reader): JwtConfig | undefined {
  const issuer = read.text('JWT_ISSUER');
  const audience = read.text('JWT_AUDIENCE');
  const jwksUrl = read.url('JWT_JWKS_URL', ['https:', 'http:']);
  const jwksFile = read.text('JWT_JWKS_FILE');
  if ([issuer, audience, jwksUrl, jwksFile].every((value) => value === undefined)) return undefined;
  const because = 'is required when another JWT_… is set';
  if (issuer === undefined) read.refuse('JWT_ISSUER', because);
  if (audience === undefined) read.refuse('JWT_AUDIENCE', because);
  if (jwksUrl === undefined && jwksFile === undefined) read.refuse('JWT_JWKS_URL', `or JWT_JWKS_FILE ${because}`);
  if (jwksUrl !== undefined && jwksFile !== undefined)
    read.refuse('JWT_JWKS_FILE', 'must not be set beside JWT_JWKS_URL');
  if (jwksUrl?.startsWith('http:') && !LOOPBACK.test(jwksUrl)) {
    read.refuse('JWT_JWKS_URL', 'must be a URL that begins with https://, unless it is on this machine');
  }
  return Object.freeze({ issuer: issuer ?? '', audience: audience ?? '', jwksUrl, jwksFile });
}

const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)([:/]|$)/;

class Reader {
  readonly #env: Environment;
  readonly #faults: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  refuse(name: string, detail: string): void {
    this.#faults.push(`${name} ${detail}`);
  }

  text(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  integer(name: string, preset: number, least: number, most: number): number {
    const text = this.text(name);
    if (text === undefined) return preset;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      this.refuse(name, `must be a whole number from ${least} to ${most}`);
    }
    return value;
  }

  oneOf<T extends string>(name: string, values: readonly T[], preset: T): T {
    const text = this.text(name);
    if (text === undefined) return preset;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) this.refuse(name, `must be one of: ${values.join(', ')}`);
    return value ?? preset;
  }

  /** @param bare nothing but an origin and a path */
  url(name: string, protocols: readonly string[], { bare = false } = {}): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const protocol = url?.protocol ?? '';
    if (!protocols.includes(protocol))
      this.refuse(name, `must be a URL that begins with ${protocols.join('// or ')}//`);
    else if (bare && url !== undefined && (url.search || url.hash || url.username || url.password)) {
      this.refuse(name, 'must have no user, query or fragment');
    }
    return text;
  }

  finish(): void {
    if (this.#faults.length > 0) throw new ConfigError(this.#faults.join('\n'));
  }
}
