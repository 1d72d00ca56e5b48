import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { pickPort } from '../helpers/free-port.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/**
 * Behind a transaction-mode pooler: two statements outside of a transaction may reach two sessions, and nothing that is
 * set outlives a transaction. The queue's listener and the migrations go past it, by DATABASE_DIRECT_URL.
 */

const hasPooler = spawnSync('pgbouncer', ['--version']).status === 0;
const skip = hasPooler ? false : 'there is no pgbouncer on this machine (apt-get install pgbouncer)';

async function startPooler(databaseUrl: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const target = new URL(databaseUrl);
  const name = target.pathname.slice(1);
  const port = await pickPort();
  const folder = await mkdtemp(join(tmpdir(), 'biotrack-connect-pooler-'));
  // pgbouncer does not run as root, and must be able to read this folder as another user.
  await chmod(folder, 0o755);
  const password = decodeURIComponent(target.password).replaceAll("'", "''");
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
${name} = host=${target.hostname} port=${target.port} dbname=${name} user=${target.username} password='${password}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`,
  );
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child: ChildProcess = spawn('pgbouncer', [...user, file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  for (const until = Date.now() + 10_000; !log.includes('process up'); await pause(20)) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the pooler did not start: ${log}`);
  }
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

t.test('the API and the runs work through a transaction-mode pooler', { skip }, async (t) => {
  let pooler: Awaited<ReturnType<typeof startPooler>> | undefined;
  const service = await startTestService(t, {
    simulator: { licenses: 100, offersSyncCheck: false },
    pooler: async (url) => {
      pooler = await startPooler(url);
      return pooler.url;
    },
  });
  t.teardown(() => pooler?.stop());
  const through = new pg.Client({ connectionString: pooler?.url });
  await through.connect();
  t.teardown(() => through.end());
  t.equal((await through.query('select 1 as one')).rows[0].one, 1);

  const tenants = await Promise.all([makeTenant(service), makeTenant(service, 'credential', 'one_per_vendor')]);
  const runs = await Promise.all(tenants.map((tenantId) => syncTenant(service, tenantId, { refresh: 'force' })));
  for (const run of runs) t.match(run.status, /^succeeded/);
  const lists = await Promise.all(
    Array.from({ length: 60 }, (_each, index) =>
      service.ask('GET', `/v1/tenants/${tenants[index % 2]}/companies?page[size]=500`),
    ),
  );
  const counts = runs.map(({ counts: { created } }) => created);
  for (const [index, { body }] of lists.entries())
    t.equal(body.data.length, counts[index % 2], 'each tenant sees its own');
  const backends = await service.sql<{ many: number }>(
    `select count(*)::int as many from pg_stat_activity where datname = current_database() and application_name = 'biotrack-connect'`,
  );
  t.ok((backends[0]?.many ?? 99) <= 3, `${backends[0]?.many} sessions for all of them`);
});
