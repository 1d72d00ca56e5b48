import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError, type JwtConfig, readEnv } from '../src/config.js';
import { serve } from '../src/serve.js';
import { createKeysetFile } from '../src/vault/index.js';
import { createTestDatabase } from './helpers/postgres.js';
import { PATIENCE_MS } from './helpers/until.js';

/** Accepted values and defaults of each environment variable, and errors for invalid ones. */

type Environment = Readonly<Record<string, string | undefined>>;

/** Part of invalid values; must not appear in any message. */
const CANARY = 'canary7731';
const DATABASE = { DATABASE_URL: `postgres://user:${CANARY}@127.0.0.1:5432/db` };

const errorOf = (env: Environment): string => {
  try {
    readEnv(env);
    return '';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

interface Variable {
  readonly name: string;
  /** Other variables that this one requires. */
  readonly required?: Environment;
  readonly read: (env: Environment) => unknown;
  readonly preset: unknown;
  readonly good: Readonly<Record<string, unknown>>;
  readonly wrong: readonly string[];
}

const config =
  (name: keyof ReturnType<typeof readEnv>['config']) =>
  (env: Environment): unknown =>
    readEnv(env).config[name];
const secret =
  (name: 'databaseUrl' | 'databaseDirectUrl') =>
  (env: Environment): unknown =>
    readEnv(env).secrets[name]?.reveal();
const jwt =
  (name: keyof JwtConfig) =>
  (env: Environment): unknown =>
    readEnv(env).config.jwt?.[name];
/** The variable is required together with the others. */
const NEVER = Symbol('never');
const JWT = { JWT_ISSUER: 'https://host.example', JWT_AUDIENCE: 'us', JWT_JWKS_FILE: 'keys.json' };
const wholeNumbers = (least: number, most: number): string[] => [
  `${least - 1}`,
  `${most + 1}`,
  `${least}.5`,
  '-1',
  '+5',
  '0x10',
  '1e1',
  '1_0',
  '١٠',
  'NaN',
  'Infinity',
  `10 ${CANARY}`,
  CANARY,
  '10;11',
];
const URLS = [
  CANARY,
  `${CANARY}.example`,
  `//${CANARY}`,
  `ftp://${CANARY}`,
  `file:///${CANARY}`,
  `javascript:${CANARY}`,
];

const VARIABLES: readonly Variable[] = [
  { name: 'HOST', read: config('host'), preset: '127.0.0.1', good: { '0.0.0.0': '0.0.0.0', '::1': '::1' }, wrong: [] },
  {
    name: 'PORT',
    read: config('port'),
    preset: 3000,
    good: { '0': 0, '8080': 8080, '65535': 65_535, ' 80 ': 80 },
    wrong: wholeNumbers(0, 65_535),
  },
  {
    name: 'PUBLIC_URL',
    read: config('publicUrl'),
    preset: undefined,
    good: {
      'https://api.example.com/base': 'https://api.example.com/base',
      'http://127.0.0.1:3000': 'http://127.0.0.1:3000',
    },
    wrong: [...URLS, `postgres://${CANARY}`, 'http://', `https://[${CANARY}`],
  },
  {
    name: 'METRICS_PORT',
    read: config('metricsPort'),
    preset: 9464,
    good: { '0': 0, '9000': 9_000 },
    wrong: wholeNumbers(0, 65_535),
  },
  {
    name: 'DATABASE_POOL_SIZE',
    read: config('databasePoolSize'),
    preset: 10,
    good: { '2': 2, '1000': 1_000 },
    wrong: wholeNumbers(2, 1_000),
  },
  {
    name: 'ROLE',
    required: DATABASE,
    read: config('role'),
    preset: 'all',
    good: { all: 'all', api: 'api', worker: 'worker' },
    wrong: ['ALL', 'both', 'api,worker', CANARY, 'toString', '__proto__'],
  },
  {
    name: 'BIOTRACK_STATES_FILE',
    read: config('statesFile'),
    preset: undefined,
    good: { '/etc/states.json': '/etc/states.json' },
    wrong: [],
  },
  {
    name: 'VAULT_KEYSET_FILE',
    read: config('vaultKeysetFile'),
    preset: undefined,
    good: { './keys.json': './keys.json' },
    wrong: [],
  },
  {
    name: 'HTTPS_PROXY',
    read: (env) => readEnv(env).secrets.proxy?.url.reveal(),
    preset: undefined,
    good: {
      'http://proxy.example:3128': 'http://proxy.example:3128',
      'https://a:b@proxy.example': 'https://a:b@proxy.example',
    },
    wrong: URLS,
  },
  {
    name: 'NO_PROXY',
    required: { HTTPS_PROXY: 'http://proxy.example:3128' },
    read: (env) => readEnv(env).secrets.proxy?.except,
    preset: '',
    good: { 'a.example,.b.example': 'a.example,.b.example' },
    wrong: [],
  },
  { name: 'DATA_DIR', read: config('dataDir'), preset: '.data', good: { '/var/lib/x': '/var/lib/x' }, wrong: [] },
  {
    name: 'LOG_LEVEL',
    read: config('logLevel'),
    preset: 'info',
    good: { trace: 'trace', silent: 'silent' },
    wrong: ['INFO', 'verbose', '30', CANARY],
  },
  {
    name: 'DIRECTORY_MAX_AGE_SECONDS',
    read: config('directoryMaxAgeSeconds'),
    preset: 600,
    good: { '1': 1, '604800': 604_800 },
    wrong: wholeNumbers(1, 604_800),
  },
  {
    name: 'SYNC_INTERVAL_SECONDS',
    read: config('syncIntervalSeconds'),
    preset: 3_600,
    good: { '1': 1, '604800': 604_800 },
    wrong: wholeNumbers(1, 604_800),
  },
  {
    name: 'GUARD_REMOVAL_PERCENT',
    read: config('guardRemovalPercent'),
    preset: 10,
    good: { '0': 0, '100': 100 },
    wrong: wholeNumbers(0, 100),
  },
  {
    name: 'RETENTION_RUNS_DAYS',
    read: (env) => readEnv(env).config.retention.runsDays,
    preset: 90,
    good: { '1': 1, '3650': 3_650 },
    wrong: wholeNumbers(1, 3_650),
  },
  {
    name: 'RETENTION_PREVIEWS_HOURS',
    read: (env) => readEnv(env).config.retention.previewsHours,
    preset: 24,
    good: { '1': 1, '8760': 8_760 },
    wrong: wholeNumbers(1, 8_760),
  },
  {
    name: 'RETENTION_CHANGES_DAYS',
    read: (env) => readEnv(env).config.retention.changesDays,
    preset: 400,
    good: { '30': 30, '3650': 3_650 },
    wrong: wholeNumbers(30, 3_650),
  },
  {
    name: 'RETENTION_AUDIT_DAYS',
    read: (env) => readEnv(env).config.retention.auditDays,
    preset: 730,
    good: { '30': 30, '3650': 3_650 },
    wrong: wholeNumbers(30, 3_650),
  },
  {
    name: 'RATE_LIMIT_PER_MINUTE',
    read: (env) => readEnv(env).config.rateLimits.perMinute,
    preset: 6_000,
    good: { '1': 1, '1000000': 1_000_000 },
    wrong: wholeNumbers(1, 1_000_000),
  },
  {
    name: 'RATE_LIMIT_UNAUTHENTICATED_PER_MINUTE',
    read: (env) => readEnv(env).config.rateLimits.unauthenticatedPerMinute,
    preset: 600,
    good: { '1': 1, '1000000': 1_000_000 },
    wrong: wholeNumbers(1, 1_000_000),
  },
  {
    name: 'TRUST_PROXY',
    read: config('trustProxy'),
    preset: false,
    good: { '10.0.0.1': '10.0.0.1', '10.0.0.0/8, ::1': '10.0.0.0/8, ::1' },
    wrong: ['0', '2', '-1', 'true', '10.0.0.0/33', '0.0.0.0/0', '10.0.0.1/', '10.0.0', `proxy.${CANARY}`, '10.0.0.1,'],
  },
  {
    name: 'CORS_ORIGINS',
    read: config('corsOrigins'),
    preset: [],
    good: {
      'https://app.example.com': ['https://app.example.com'],
      'http://localhost:5173, https://a.example': ['http://localhost:5173', 'https://a.example'],
    },
    wrong: [
      '*',
      'null',
      `app.${CANARY}`,
      'https://*.example.com',
      'https://app.example.com/',
      'https://app.example.com/path',
      'https://user@app.example.com',
      'https://APP.example.com',
      'https://app.example.com:443',
      'ftp://app.example.com',
      'https://app.example.com,',
    ],
  },
  {
    name: 'FORCED_REFRESH_SECONDS',
    read: config('forcedRefreshSeconds'),
    preset: 30,
    good: { '0': 0, '3600': 3_600 },
    wrong: wholeNumbers(0, 3_600),
  },
  {
    name: 'JWT_MAX_LIFETIME_SECONDS',
    required: JWT,
    read: jwt('maxLifetimeSeconds'),
    preset: 86_400,
    good: { '60': 60, '2592000': 2_592_000 },
    wrong: wholeNumbers(60, 2_592_000),
  },
  {
    name: 'LIST_CACHE_MEGABYTES',
    read: config('listCacheMegabytes'),
    preset: 32,
    good: { '0': 0, '16384': 16_384 },
    wrong: wholeNumbers(0, 16_384),
  },
  {
    name: 'JWT_ISSUER',
    required: JWT,
    read: jwt('issuer'),
    preset: NEVER,
    good: { 'https://h': 'https://h' },
    wrong: [],
  },
  { name: 'JWT_AUDIENCE', required: JWT, read: jwt('audience'), preset: NEVER, good: { us: 'us' }, wrong: [] },
  {
    name: 'JWT_JWKS_URL',
    required: { ...JWT, JWT_JWKS_FILE: undefined },
    read: jwt('jwksUrl'),
    preset: NEVER,
    good: {
      'https://h.example/keys': 'https://h.example/keys',
      'http://localhost:3000/keys': 'http://localhost:3000/keys',
      'http://127.0.0.1/keys': 'http://127.0.0.1/keys',
    },
    wrong: [
      ...URLS,
      `http://${CANARY}.example/keys`,
      `http://localhost.${CANARY}.example/keys`,
      `http://127.0.0.1@${CANARY}.example/keys`,
    ],
  },
  {
    name: 'JWT_JWKS_FILE',
    required: JWT,
    read: jwt('jwksFile'),
    preset: NEVER,
    good: { './keys.json': './keys.json' },
    wrong: [],
  },
  {
    name: 'DATABASE_URL',
    read: secret('databaseUrl'),
    preset: undefined,
    good: {
      'postgres://a:b@127.0.0.1/d': 'postgres://a:b@127.0.0.1/d',
      'postgres://a:b@[::1]/d': 'postgres://a:b@[::1]/d',
      'postgres:///d?host=/run/postgresql': 'postgres:///d?host=/run/postgresql',
      'postgresql://h/d?sslmode=require': 'postgresql://h/d?sslmode=require',
      'postgres://h/d?sslmode=disable': 'postgres://h/d?sslmode=disable',
    },
    wrong: [...URLS, `mysql://a:${CANARY}@h/d`, `user:${CANARY}@host/db`],
  },
  {
    name: 'DATABASE_DIRECT_URL',
    required: DATABASE,
    read: secret('databaseDirectUrl'),
    preset: DATABASE.DATABASE_URL,
    good: { 'postgres://a:b@direct/d?sslmode=disable': 'postgres://a:b@direct/d?sslmode=disable' },
    wrong: [...URLS, `http://a:${CANARY}@h/d`],
  },
];

for (const { name, required = {}, read, preset, good, wrong } of VARIABLES) {
  t.test(name, async (t) => {
    for (const unset of [undefined, '', '   ', '\t']) {
      if (preset === NEVER)
        t.match(
          errorOf({ ...required, [name]: unset }),
          new RegExp(`^(JWT_JWKS_URL or )?${name} (or JWT_JWKS_FILE )?is required`),
        );
      else t.strictSame(read({ ...required, [name]: unset }), preset, `${JSON.stringify(unset)} counts as unset`);
    }
    for (const [value, wanted] of Object.entries(good))
      t.strictSame(read({ ...required, [name]: value }), wanted, value);
    for (const value of wrong) {
      const message = errorOf({ ...required, [name]: value });
      t.match(message, new RegExp(`^${name} must be `), `${value} is rejected`);
      t.notOk(message.includes(CANARY), 'the message does not contain the value');
      t.equal(message.split('\n').length, 1, 'there is one error');
    }
  });
}

t.test('variables that require each other', async (t) => {
  t.match(errorOf({ NODE_ENV: 'production' }), /^DATABASE_URL is required/, 'production requires a database');
  t.doesNotThrow(() => readEnv({ NODE_ENV: 'production', ...DATABASE }));
  t.doesNotThrow(() => readEnv({ NODE_ENV: 'development' }));
  const remote = errorOf({ DATABASE_URL: `postgres://a:${CANARY}@db.internal/d` });
  t.match(remote, /^DATABASE_URL must have \?sslmode=verify-full/, 'another machine, without a word about TLS');
  t.notOk(remote.includes(CANARY));
  t.match(errorOf({ DATABASE_URL: 'postgres://a:b#c@h/d' }), /percent-encode/);
  t.match(errorOf({ DATABASE_DIRECT_URL: 'postgres://localhost/d' }), /^DATABASE_URL is required/);
  for (const ROLE of ['api', 'worker'])
    t.match(errorOf({ ROLE }), /^DATABASE_URL is required/, `the role ${ROLE} requires a database`);
  const all = errorOf({ PORT: CANARY, ROLE: CANARY, LOG_LEVEL: CANARY, DATABASE_URL: CANARY });
  for (const name of ['PORT', 'ROLE', 'LOG_LEVEL', 'DATABASE_URL'])
    t.match(all, name, 'all invalid variables are named at once');
  t.notOk(all.includes(CANARY));
  t.equal(readEnv({}).config.jwt, undefined, 'tokens are optional');
  t.match(
    errorOf({ ...JWT, JWT_JWKS_URL: 'https://h.example/keys' }),
    /^JWT_JWKS_FILE must not be set together with JWT_JWKS_URL$/,
    'keys have one source',
  );
  const { config: given, secrets } = readEnv(DATABASE);
  t.ok(Object.isFrozen(given) && Object.isFrozen(secrets));
  t.notMatch(JSON.stringify({ given, secrets }), CANARY, 'secrets are not printed');
});

t.test('an invalid file or database stops the start', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), `${CANARY}-`));
  const database = await createTestDatabase();
  t.teardown(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const keyset = await write('keyset.json', createKeysetFile('one'));
  const states = await write(
    'states.json',
    '{"NM":{"environments":{"production":{"dialect":"api4","url":"https://nm.example"}}}}',
  );
  const right = {
    DATABASE_URL: database.url,
    VAULT_KEYSET_FILE: keyset,
    BIOTRACK_STATES_FILE: states,
    LOG_LEVEL: 'silent',
  };
  const unmigrated = new URL(database.url);
  unmigrated.pathname = '/template1';
  const missing = new URL(database.url);
  missing.pathname = `/${CANARY}`;
  const password = new URL(database.url);
  password.password = CANARY;

  const wrong: readonly (readonly [string, string, Environment])[] = [
    ['VAULT_KEYSET_FILE', 'none', { VAULT_KEYSET_FILE: '' }],
    ['VAULT_KEYSET_FILE', 'no such file', { VAULT_KEYSET_FILE: join(folder, 'absent') }],
    ['VAULT_KEYSET_FILE', 'a folder', { VAULT_KEYSET_FILE: folder }],
    ['VAULT_KEYSET_FILE', 'not JSON', { VAULT_KEYSET_FILE: await write('a', CANARY) }],
    ['VAULT_KEYSET_FILE', 'no keys', { VAULT_KEYSET_FILE: await write('b', '{"keys":[]}') }],
    [
      'VAULT_KEYSET_FILE',
      'a short key',
      { VAULT_KEYSET_FILE: await write('c', `{"keys":[{"id":"a","key":"${CANARY}"}]}`) },
    ],
    ['BIOTRACK_STATES_FILE', 'no such file', { BIOTRACK_STATES_FILE: join(folder, 'absent') }],
    ['BIOTRACK_STATES_FILE', 'not JSON', { BIOTRACK_STATES_FILE: await write('d', `{"NM":${CANARY}`) }],
    ['BIOTRACK_STATES_FILE', 'no states', { BIOTRACK_STATES_FILE: await write('e', '{}') }],
    [
      'BIOTRACK_STATES_FILE',
      'an unknown field',
      { BIOTRACK_STATES_FILE: await write('f', `{"NM":{"environments":{},"x":"${CANARY}"}}`) },
    ],
    [
      'BIOTRACK_STATES_FILE',
      'no URL',
      {
        BIOTRACK_STATES_FILE: await write(
          'g',
          `{"NM":{"environments":{"production":{"dialect":"api4","url":"${CANARY}"}}}}`,
        ),
      },
    ],
    ...(await Promise.all(
      Object.entries({
        'no such file': undefined,
        'not JSON': CANARY,
        'no keys': '{"keys":[]}',
        'no list': `{"keys":{"kty":"${CANARY}"}}`,
        'no key': `{"keys":["${CANARY}"]}`,
        'a private key': `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","d":"${CANARY}"}]}`,
        'a shared secret': `{"keys":[{"kty":"oct","k":"${CANARY}"}]}`,
      }).map(async ([what, text], index): Promise<[string, string, Environment]> => {
        const file = text === undefined ? join(folder, 'absent') : await write(`jwks-${index}`, text);
        return ['JWT_JWKS_FILE', what, { ...JWT, JWT_JWKS_FILE: file }];
      }),
    )),
    ['DATABASE_URL', 'no server', { DATABASE_URL: `postgres://u:${CANARY}@127.0.0.1:1/db` }],
    ['DATABASE_URL', 'no such database', { DATABASE_URL: missing.href }],
    ['DATABASE_URL', 'a wrong password', { DATABASE_URL: password.href }],
    ['DATABASE_URL', 'not migrated', { DATABASE_URL: unmigrated.href }],
  ];
  for (const [name, what, change] of wrong) {
    const startedAt = Date.now();
    const said: string[] = [];
    const forkWorker = (): never => t.fail('no process is started') as never;
    const started = serve(readEnv({ ...right, ...change }), { print: (line) => said.push(line), forkWorker });
    const error = await started.then(
      async (running) => {
        await running.stop();
        return new Error('the service started');
      },
      (refused: Error) => refused,
    );
    t.ok(error instanceof ConfigError, `${name}, ${what}: ${error.message}`);
    t.match(error.message, name, 'the variable is named');
    t.notOk(`${error.message}${said.join()}`.includes(CANARY), 'its value is not shown');
    t.ok(Date.now() - startedAt < PATIENCE_MS, 'it does not retry');
  }
});
