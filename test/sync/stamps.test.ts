import pg from 'pg';
import t from 'tap';
import { closeApplyingGate } from '../helpers/gates.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';
import { until } from '../helpers/until.js';

/** `updated_datetime` and the ETag of companies: what a client that polls for changes relies on. */

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { ask, databaseUrl, simulator } = service;
const { control } = simulator;
const { readAll, readCompanies, edit, holderOf } = createTenantClient(service);

type Body = TestResponse['body'];

const force = (tenantId: string): Promise<Body> => syncTenant(service, tenantId, { refresh: 'force' });

/** Reads what changed since its last read, as a client does: from the latest `updated_datetime` that it has seen. */
function createReader(tenantId: string) {
  const seen = new Map<string, Body>();
  let last = '1970-01-01T00:00:00.000Z';
  return {
    seen,
    async read(): Promise<Body[]> {
      const companies = await readCompanies(tenantId, `&archived=include&updated_datetime=${last},`);
      for (const company of companies) {
        seen.set(company.id, company);
        if (company.updated_datetime > last) last = company.updated_datetime;
      }
      return companies;
    },
  };
}

t.test('an edit that waited for another one has the later updated_datetime', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const [first, second] = (await readCompanies(tenantId)) as [Body, Body];
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query('select from tenants where tenant_id = $1 for no key update', [tenantId]);
  const waiting = edit(tenantId, first.id, { relationship_type: 'customer' });
  await until('the edit waits for the lock', async () => {
    const { rowCount } = await client.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (rowCount ?? 0) > 0;
  });
  await client.query('update companies set updated_datetime = clock_timestamp() where id = $1', [second.id]);
  await client.query('commit');
  await client.end();
  const edited = (await waiting).body;
  const other = (await ask('GET', `${pathOf(tenantId)}/companies/${second.id}`)).body;
  t.ok(edited.updated_datetime >= other.updated_datetime, `${edited.updated_datetime} ${other.updated_datetime}`);
});

t.test('a run that waited for an edit has the later updated_datetime', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  control.addVendor({ name: 'A new vendor', sites: 1 });
  const gate = await closeApplyingGate(service);
  const { body } = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { refresh: 'force' } });
  await gate.untilReached();
  const applying = new Date().toISOString();
  await gate.open();
  const run = await waitForRun(service, tenantId, body.id);
  t.match(run, { status: /^succeeded/, counts: { created: 1 } });
  const [created] = await readCompanies(tenantId, `&updated_datetime=${applying},`);
  t.match(created, { name: 'A new vendor' }, 'stamped when it was written, not when the transaction began');
});

t.test('a reader of what was updated misses none of 181 concurrent edits', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const companies = await readCompanies(tenantId);
  const reader = createReader(tenantId);
  await reader.read();
  let left = 181;
  const work = async (lane: number, lanes: number): Promise<void> => {
    const own = companies.filter((_, index) => index % lanes === lane);
    for (let index = 0; left > 0; index += 1) {
      left -= 1;
      const { status } = await edit(tenantId, own[index % own.length].id, { relationship_type: `edit ${left}` });
      if (status !== 200) throw new Error(String(status));
    }
  };
  let isDone = false;
  const read = async (): Promise<void> => {
    while (!isDone) await reader.read();
  };
  const reading = read();
  await Promise.all([0, 1, 2, 3, 4, 5].map((lane) => work(lane, 6)));
  isDone = true;
  await reading;
  await reader.read();
  for (const company of await readCompanies(tenantId)) t.strictSame(reader.seen.get(company.id), company);
});

t.test('a company is touched when its licenses change', async (t) => {
  const [ubi, kept, site] = ['990001000', '99000101', '99000102'];
  control.addSite({ ubi, location: kept, name: 'TWO SITES' });
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await force(tenantId);
  const { id } = await holderOf(tenantId, kept);
  const path = `${pathOf(tenantId)}/companies/${id}`;
  const reader = createReader(tenantId);
  await reader.read();
  const changes: readonly [string, kind: string, change: () => void][] = [
    ['added', 'license.created', () => control.addSite({ ubi, location: site, name: 'TWO SITES' })],
    ['readdressed', 'license.updated', () => control.moveAddress({ location: site, city: 'HOBBS' })],
    ['gone', 'license.deactivated', () => control.vanish({ location: site })],
    ['back', 'license.reactivated', () => control.restore({ location: site })],
  ];
  for (const [what, kind, change] of changes) {
    const before = await ask('GET', path);
    change();
    const run = await force(tenantId);
    t.match(run.counts, { created: 0, updated: 0, archived: 0, reactivated: 0 }, what);
    const after = await ask('GET', path);
    t.not(after.headers.get('etag'), before.headers.get('etag'), `${what}: the ETag`);
    t.ok(after.body.updated_datetime > before.body.updated_datetime, `${what}: updated_datetime`);
    t.strictSame(
      (await reader.read()).filter((company) => company.id === id),
      [after.body],
      `${what}: a reader of what was updated sees it`,
    );
    const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
    t.strictSame(
      items.filter((item) => item.company_id === id).map((item) => item.kind ?? item.action),
      [kind, 'unchanged'],
      `${what}: the company itself has no change`,
    );
    const stale = await ask('PATCH', path, {
      body: { relationship_type: what },
      headers: { 'if-match': before.headers.get('etag') as string },
    });
    t.equal(stale.status, 412, `${what}: edits of the earlier licenses are rejected`);
  }
  const quiet = await ask('GET', path);
  await force(tenantId);
  t.equal((await ask('GET', path)).headers.get('etag'), quiet.headers.get('etag'), 'not without a change');
});
