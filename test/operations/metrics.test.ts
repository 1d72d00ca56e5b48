import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LOG_EVENTS } from '../../src/domain/log-event.js';
import { FAULT_NAMES } from '../../src/simulator/index.js';
import { pickPort } from '../helpers/free-port.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Metrics and log events. */

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
const metricsPort = await pickPort();
const service = await startTestService(t, {
  metricsPort,
  hasLine: true,
  simulator: { licenses: 100, offersSyncCheck: false },
  timing: {
    timeouts: { connectMs: 300, headersMs: 300, listMs: 700, shortMs: 500 },
    retry: { attempts: 1, baseMs: 1, maxMs: 1 },
    circuit: { failures: 1_000_000, openMs: 1 },
  },
});
const { ask, simulator } = service;

/** Every sample by its name and labels. */
async function read(): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  t.equal(response.status, 200);
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
}

const sum = (samples: ReadonlyMap<string, number>, name: string, part = ''): number =>
  [...samples]
    .filter(([key]) => (key === name || key.startsWith(`${name}{`)) && key.includes(part))
    .reduce((total, [, value]) => total + value, 0);

t.test('requests, calls and runs are counted, and labels contain no ids', async (t) => {
  const tenantId = await makeTenant(service);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  t.equal((await ask('GET', `/v1/tenants/${service.newId()}/ubi`)).status, 404);
  const samples = await read();
  const name = (rest: string): string => `biotrack_connect_${rest}`;
  const route = 'route="/v1/tenants/:tenant_id/ubi"';
  t.equal(samples.get(name(`requests_total{method="GET",${route},status="404"}`)), 1);
  t.equal(samples.get(name('request_errors_total{code="not_found"}')), 1);
  t.ok(sum(samples, name('upstream_calls_total'), 'action="sync_vendor",outcome="ok",answer="ok"') > 0);
  t.ok(sum(samples, name('upstream_received_bytes_total'), 'sync_vendor') > 1_000);
  t.equal(sum(samples, name('runs_finished_total'), 'status="succeeded'), 1);
  t.equal(samples.get(name('credentials{status="valid"}')), 1);
  t.equal(samples.get(name('runs{status="queued"}')), 0);
  t.equal(samples.get(name('database_up')), 1);
  const files = (await readdir(join(SOURCES, '../migrations'))).filter((file) => /^\d{4}.*\.sql$/.test(file));
  t.equal(samples.get(name('database_migrations')), files.length);
  t.ok(sum(samples, name('database_pool_connections'), 'open') > 0);
  for (const known of ['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes']) t.ok(samples.has(known));
  const all = [...samples.keys()].join('\n');
  for (const [what, value] of Object.entries({ tenantId, ...simulator.demo, key: service.operatorKey })) {
    t.notMatch(all, value, `no ${what} in any label`);
  }
});

t.test('every BioTrack fault changes a counter with its reason', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  for (const fault of FAULT_NAMES) {
    const before = await read();
    const parameters = {
      slow_first_byte: { delayMs: 3_000 },
      error_response: { error: 'Something nobody has heard of.', errorcode: 4711 },
      drip: { bytes: 1, intervalMs: 50 },
    }[fault as string];
    simulator.control.injectFault({ fault, action: 'sync_vendor', times: 0, ...parameters });
    const run = await syncTenant(service, tenantId, { refresh: 'force' });
    simulator.control.clearFaults();
    if (run.status.startsWith('succeeded')) {
      t.equal(fault, 'leaked_header', `${fault} does no harm`);
      continue;
    }
    const after = await read();
    const moved = [...after.keys()].filter(
      (key) => after.get(key) !== before.get(key) && !/_seconds|bytes|nodejs_|process_/.test(key),
    );
    const isNamed = (key: string): boolean => key.includes(`"${run.reason}"`);
    t.ok(
      moved.some((key) => key.includes('runs_finished_total') && isNamed(key)),
      `${fault}: ${run.reason} of a run`,
    );
    const cause =
      run.reason === 'list_shrunk' || run.reason === 'list_empty' ? /guard_trips|upstream_calls/ : /upstream_calls/;
    t.ok(
      moved.some((key) => cause.test(key) && !key.includes('outcome="ok"')),
      `${fault}: ${moved.filter((key) => cause.test(key))}`,
    );
  }
  const samples = await read();
  t.ok(sum(samples, 'biotrack_connect_upstream_unknown_texts_total') > 0, 'unknown texts are counted');
  t.ok(sum(samples, 'biotrack_connect_guard_trips_total') > 0, 'guards too');
  t.ok(samples.size < 1_000, `${samples.size} samples in all`);
});

t.test('without a database the other metrics are still served', async (t) => {
  await service.line.cut();
  t.match(await ask('GET', '/v1/api-keys'), { status: 503 });
  const samples = await until('a sample without the database', async () => {
    const present = await read();
    return present.get('biotrack_connect_database_up') === 0 && present;
  });
  t.equal(samples.get('biotrack_connect_database_up'), 0);
  t.ok(sum(samples, 'biotrack_connect_database_errors_total', 'unreachable') > 0);
  t.ok(sum(samples, 'biotrack_connect_database_connections_lost_total') > 0);
  t.ok(sum(samples, 'biotrack_connect_request_errors_total', 'storage_unavailable') > 0);
  await service.line.restore();
  t.match((await fetch(`http://127.0.0.1:${metricsPort}/`)).status, 404);
  t.match((await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { method: 'POST' })).status, 404);
});

t.test('every log line is JSON with an event of the list', async (t) => {
  const lines = service.logged().trim().split('\n');
  const events = new Set(lines.map((line) => JSON.parse(line).event as string));
  t.strictSame(
    [...events].filter((event) => !(LOG_EVENTS as readonly string[]).includes(event)),
    [],
  );
  for (const event of ['service.started', 'server.message', 'request.finished', 'run.finished'])
    t.ok(events.has(event), event);
  t.equal(
    lines.filter((line) => line.includes('"request.finished"') && line.includes('/v1/api-keys') && line.includes('503'))
      .length,
    1,
  );

  const files = (await readdir(SOURCES, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(
    files
      .filter((file) => file !== join('domain', 'log-event.ts'))
      .map((file) => readFile(join(SOURCES, file), 'utf8')),
  );
  const all = texts.join('\n');
  const unused = LOG_EVENTS.filter((event) => {
    const [area, kind] = event.split('.');
    return !all.includes(`'${event}'`) && !(area === 'biotrack' && all.includes(`'${kind}'`));
  });
  t.strictSame(unused, [], 'every event is used');
  const unnamed = texts.filter((text) =>
    /\b(logger|request\.log|app\.log)\.(trace|debug|info|warn|error|fatal)\(/.test(text),
  );
  t.equal(unnamed.length, 0, 'nothing is logged without an event');
});
