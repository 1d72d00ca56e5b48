import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { readEnv } from '../../src/config.js';
import { checkInvariants } from '../../src/operate.js';
import { checkReplica, EMPTY_REPLICA, readFeed, readFeedTables } from '../helpers/feed.js';
import { findBrokenInvariants, listInvariants } from '../helpers/invariants.js';
import {
  makeTenant,
  startTestService,
  syncTenant,
  type TestResponse,
  type TestService,
  waitForRun,
} from '../helpers/service.js';
import { PATIENCE_MS, until } from '../helpers/until.js';

/** Syncs from the simulator's list to the API. */

interface License {
  readonly id: string;
  readonly license_number: string;
  readonly name: string | null;
  readonly ubi: string | null;
  readonly active: boolean;
  readonly missing_since_datetime: string | null;
  readonly address: Readonly<Record<string, string | null>>;
}

interface Company {
  readonly id: string;
  readonly name: string;
  readonly display_name: string;
  readonly ubi: string | null;
  readonly archived: boolean;
  readonly superseded_by: string | null;
  readonly is_own_company: boolean;
  readonly licenses: readonly License[];
}

async function readCompanies({ ask }: TestService, tenantId: string, query = ''): Promise<Company[]> {
  const all: Company[] = [];
  for (let next: string | null = `/v1/tenants/${tenantId}/companies?page[size]=500${query}`; next !== null; ) {
    const { body } = await ask('GET', next);
    all.push(...body.data);
    next = body.next_page;
  }
  return all;
}

async function findHolder(
  service: TestService,
  tenantId: string,
  number: string,
  query = '',
): Promise<Company | undefined> {
  const found = await readCompanies(service, tenantId, `&license_number=${encodeURIComponent(number)}${query}`);
  if (found.length > 1) throw new Error(`${number} is held by ${found.length} companies`);
  return found[0];
}

const TABLES = ['companies', 'company_licenses', 'vendor_companies', 'directory_licenses'] as const;

/** All rows of these tables with `xmin` and `ctid`: equal only if nothing was written. */
async function fingerprint({ sql }: TestService): Promise<Record<string, string[]>> {
  const entries = await Promise.all(
    TABLES.map(async (table) => {
      const rows = await sql<{ row: string }>(
        `select xmin || ' ' || ctid || ' ' || (whole.*)::text as row from ${table} whole order by 1`,
      );
      return [table, rows.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(entries);
}

const countWritten = (before: Record<string, string[]>, after: Record<string, string[]>): Record<string, number> =>
  Object.fromEntries(
    TABLES.map((table) => {
      const known = new Set(before[table]);
      return [table, (after[table] ?? []).filter((row) => !known.has(row)).length];
    }),
  );
const NOTHING = { companies: 0, company_licenses: 0, vendor_companies: 0, directory_licenses: 0 };

const plain = (text: string | null): string => (text ?? '').normalize('NFC').trim().replace(/\s+/gu, ' ');

/** The expected result of the simulator's list: the last edit of each license, without deleted ones. */
function readList({ simulator }: TestService) {
  const rows = simulator.control.rows();
  const numbered = rows.filter(({ location }) => plain(location) !== '');
  const winners = new Map<string, (typeof rows)[number]>();
  for (const row of numbered) {
    const present = winners.get(plain(row.location));
    if (present === undefined || row.transactionid > present.transactionid) winners.set(plain(row.location), row);
  }
  const active = [...winners.values()].filter(({ deleted }) => !deleted);
  const ubis = new Set(active.flatMap(({ ubi }) => (plain(ubi) === '' ? [] : plain(ubi))));
  return {
    active,
    rows: {
      fetched: rows.length,
      used: active.length,
      filtered: winners.size - active.length,
      duplicate: numbered.length - winners.size,
      skipped: rows.length - numbered.length,
    },
    vendors: ubis.size,
    blanks: active.filter(({ ubi }) => plain(ubi) === '').length,
  };
}

const byNumber = (companies: readonly Company[]): Map<string, Company> =>
  new Map(companies.flatMap((company) => company.licenses.map((each) => [each.license_number, company] as const)));

const service = await startTestService(t);
const { ask, simulator } = service;
const { control, demo } = simulator;
const perLicense = await makeTenant(service, 'credential', 'one_per_license');
const perVendor = await makeTenant(service, 'credential', 'one_per_vendor');
const both = [perLicense, perVendor];
const UNCHANGED = { created: 0, updated: 0, archived: 0, reactivated: 0, adopted: 0, moved: 0, conflicts: 0 };

const syncBoth = async (
  body: { refresh?: 'auto' | 'force' } = { refresh: 'force' },
): Promise<TestResponse['body'][]> => [
  await syncTenant(service, perLicense, body),
  await syncTenant(service, perVendor, { refresh: 'auto' }),
];

t.test('the first sync with both strategies', async (t) => {
  const list = readList(service);
  t.ok(list.rows.filtered > 0 && list.rows.duplicate > 0 && list.rows.skipped > 0 && list.blanks > 0, 'a dirty list');
  const runs = await syncBoth();
  const wanted = [list.active.length, list.vendors + list.blanks];
  for (const [index, tenantId] of both.entries()) {
    const run = runs[index];
    t.match(run.status, /^succeeded/);
    t.strictSame(run.rows, list.rows, 'the row counts match the list');
    const { fetched, used, filtered, duplicate, skipped } = run.rows;
    t.equal(fetched, used + filtered + duplicate + skipped, 'the row counts add up');
    t.match(run.counts, { ...UNCHANGED, created: wanted[index], unchanged: 0 });
    t.equal(run.skips.length, skipped);
    const companies = await readCompanies(service, tenantId);
    t.equal(companies.length, wanted[index]);
    const holders = byNumber(companies);
    t.equal(holders.size, list.active.length, 'each license has one company');
    const wrong = list.active.filter((row) => {
      const license = holders
        .get(plain(row.location))
        ?.licenses.find((each) => each.license_number === plain(row.location));
      return (
        plain(license?.ubi ?? '') !== plain(row.ubi) ||
        plain(license?.name ?? '') !== plain(row.name) ||
        plain(license?.address.city ?? '') !== plain(row.city) ||
        plain(license?.address.zip ?? '') !== plain(row.zip)
      );
    });
    t.strictSame(
      wrong.map(({ location }) => location),
      [],
      'the licenses match the list',
    );
    const own = companies.filter(({ is_own_company }) => is_own_company);
    t.ok(own.length > 0 && own.every(({ licenses }) => licenses.every(({ ubi }) => ubi === demo.ubi)));
    t.equal(new Set(companies.map(({ display_name }) => display_name)).size, companies.length);
  }
  const grouped = await readCompanies(service, perVendor);
  t.ok(grouped.every(({ licenses }) => new Set(licenses.map(({ ubi }) => ubi)).size === 1));
  t.equal(Math.max(...grouped.map(({ licenses }) => licenses.length)), 17, 'the chain is one company');
  t.ok(
    grouped.filter(({ ubi }) => ubi === null).every(({ licenses }) => licenses.length === 1),
    'licenses without a UBI are not grouped',
  );
  const single = await readCompanies(service, perLicense);
  t.ok(single.every(({ licenses }) => licenses.length === 1));
  const changes = await service.sql<{ many: number }>(
    'select count(*)::int as many from changes where tenant_id = $1',
    [perLicense],
  );
  t.equal(changes[0]?.many, 1, 'one entry stands for everything that the first sync created');
  t.match(
    (await readFeed(service, perLicense)).counts,
    { snapshot: single.length + list.active.length, tail: 0 },
    'which the feed shows as a snapshot',
  );
});

t.test('the second sync writes no row', async (t) => {
  const before = await fingerprint(service);
  t.ok(
    TABLES.every((table) => (before[table]?.length ?? 0) > 0),
    'each table has rows',
  );
  let calls = control.counters();

  for (const run of await syncBoth({ refresh: 'auto' })) t.match(run, { status: /^succeeded/, counts: UNCHANGED });
  t.equal(control.counters().calls, calls.calls, 'young: BioTrack is not even asked');
  t.strictSame(countWritten(before, await fingerprint(service)), NOTHING);

  await service.sql(`update directories set refreshed_datetime = now() - interval '2 hours'`);
  for (const run of await syncBoth({ refresh: 'auto' })) t.match(run, { status: /^succeeded/, counts: UNCHANGED });
  t.equal(control.counters().listCalls, calls.listCalls, 'the checksum is unchanged, so the list is not fetched');
  t.ok((control.counters().callsByAction.sync_check ?? 0) > (calls.callsByAction.sync_check ?? 0));
  t.strictSame(countWritten(before, await fingerprint(service)), NOTHING);

  for (let round = 1; round <= 3; round += 1) {
    calls = control.counters();
    control.setOptions({ offersSyncCheck: false, shuffleKeys: true, shuffleRows: true, shapeSeed: 1_000 + round });
    const [first, second] = await syncBoth();
    t.equal(control.counters().listCalls, calls.listCalls + 1, 'the whole list is fetched in another order');
    t.match(first, { status: /^succeeded/, counts: UNCHANGED, rows: readList(service).rows, directory_version: 1 });
    t.equal(first.counts.unchanged, readList(service).active.length);
    t.match(second, { counts: UNCHANGED });
    const after = await fingerprint(service);
    t.strictSame(countWritten(before, after), NOTHING, 'xmin, ctid and content of every row are the same');
    t.strictSame(after, before, 'no row was deleted');
  }

  const { location } = control.rows({ ubi: demo.ubi })[0] as { location: string };
  control.rename({ location, name: 'AN UNUSED NAME' });
  await syncBoth();
  const written = countWritten(before, await fingerprint(service));
  t.equal(written.directory_licenses, 1, 'one changed row of the list is detected');
  t.equal(written.company_licenses, 2, 'one license of each tenant');
  t.equal(written.vendor_companies, 0);
  t.ok((written.companies ?? 0) >= 1);
  control.setOptions({ offersSyncCheck: true, shuffleRows: false });
});

t.test('a renamed license', async (t) => {
  const { location } = control.rows({ ubi: demo.ubi })[1] as { location: string };
  const before = await Promise.all(both.map((tenantId) => findHolder(service, tenantId, location)));
  control.rename({ location, name: 'NUEVO NOMBRE “Ñ” & CO' });
  const [first] = await syncBoth();
  t.match(first.counts, { created: 0, updated: 1, archived: 0, moved: 0 });
  const [own, vendor] = await Promise.all(both.map((tenantId) => findHolder(service, tenantId, location)));
  t.match(own, { id: before[0]?.id, name: 'NUEVO NOMBRE “Ñ” & CO' }, 'the same company under its new name');
  t.equal(vendor?.id, before[1]?.id, 'the vendor keeps its company');
  t.equal(vendor?.licenses.find(({ license_number }) => license_number === location)?.name, 'NUEVO NOMBRE “Ñ” & CO');
});

t.test('a sold license', async (t) => {
  const { location } = control.rows({ ubi: demo.ubi })[2] as { location: string };
  const before = await Promise.all(both.map((tenantId) => findHolder(service, tenantId, location)));
  const licenseIds = before.map(
    (company) => company?.licenses.find(({ license_number }) => license_number === location)?.id,
  );
  control.sell({ location, toUbi: '007331902' });
  const [first, second] = await syncBoth();
  t.match(first.counts, { created: 0, moved: 0 }, 'one_per_license: nothing moves');
  t.match(second.counts, { created: 0, moved: 1, archived: 0 }, 'one_per_vendor: the license moves');
  const [own, buyer] = await Promise.all(both.map((tenantId) => findHolder(service, tenantId, location)));
  t.match(
    own,
    { id: before[0]?.id, ubi: '007331902', is_own_company: false },
    'the company keeps its id and gets another UBI',
  );
  t.match(buyer, { ubi: '007331902' });
  t.not(buyer?.id, before[1]?.id, "it is the buyer's now");
  t.strictSame(
    [own, buyer].map((company) => company?.licenses.find(({ license_number }) => license_number === location)?.id),
    licenseIds,
    'the license keeps its id',
  );
  const kinds = await service.sql<{ kind: string }>(
    `select distinct kind from changes where tenant_id = $1 and license_id = $2 and kind like 'license.t%'`,
    [perVendor, licenseIds[1]],
  );
  t.strictSame(kinds, [{ kind: 'license.transferred' }]);
});

t.test('licenses are added, become missing and return', async (t) => {
  const vendor = control.addVendor({ name: 'FRESH FARMS', sites: 3 });
  const [one = ''] = vendor.locations;
  const [first, second] = await syncBoth();
  t.match(first.counts, { ...UNCHANGED, created: 3 });
  t.match(second.counts, { ...UNCHANGED, created: 1 });
  const before = await Promise.all(both.map((tenantId) => findHolder(service, tenantId, one)));
  t.match(before[0], { name: 'FRESH FARMS', licenses: [{ license_number: one }] });
  t.equal(before[1]?.licenses.length, 3);

  control.vanish({ location: one });
  const gone = await syncBoth();
  t.match(gone[0].counts, { ...UNCHANGED, archived: 1, updated: gone[0].counts.updated });
  t.match(gone[1].counts, { archived: 0, created: 0 });
  t.match(
    await findHolder(service, perLicense, one, '&archived=only&licenses=all'),
    {
      id: before[0]?.id,
      archived: true,
      superseded_by: null,
      licenses: [{ license_number: one, active: false }],
    },
    'a company without a license is archived, not deleted',
  );
  const held = await findHolder(service, perVendor, one, '&licenses=all');
  t.equal(held?.id, before[1]?.id, 'a missing license stays attached');
  t.equal(held?.licenses.filter(({ active }) => active).length, 2);

  control.restore({ location: one });
  const back = await syncBoth();
  t.match(back[0].counts, { created: 0, reactivated: 1, archived: 0 });
  for (const [index, tenantId] of both.entries()) {
    const after = await findHolder(service, tenantId, one);
    t.match(after, { id: before[index]?.id, archived: false, name: 'FRESH FARMS' }, 'the same company again');
    t.equal(after?.licenses.length, before[index]?.licenses.length);
    t.strictSame(
      after?.licenses.map(({ id, missing_since_datetime }) => [id, missing_since_datetime]),
      before[index]?.licenses.map(({ id }) => [id, null]),
      'with the same licenses',
    );
  }

  for (const location of vendor.locations) control.delete({ location });
  const deleted = await syncBoth();
  t.match(deleted[0].counts, { archived: 3 });
  t.match(deleted[1].counts, { archived: 1 });
  for (const location of vendor.locations) control.restore({ location });
  await syncBoth();
  t.strictSame(
    (await Promise.all(both.map((tenantId) => findHolder(service, tenantId, one)))).map((company) => company?.id),
    before.map((company) => company?.id),
  );
});

t.test('a swap within one run, and a UBI that becomes blank', async (t) => {
  const [a, b] = [control.rows({ ubi: demo.ubi })[0], control.rows({ ubi: '007331902' })[0]].map(
    (row) => row?.location ?? '',
  ) as [string, string];
  const before = await Promise.all([a, b].map((number) => findHolder(service, perLicense, number)));
  control.swapUbis({ a, b });
  control.swapNames({ a, b });
  await syncBoth();
  const after = await Promise.all([a, b].map((number) => findHolder(service, perLicense, number)));
  t.strictSame(
    after.map((company) => company?.id),
    before.map((company) => company?.id),
    'one_per_license: the ids stay',
  );
  t.strictSame(
    after.map((company) => company?.ubi),
    before.map((company) => company?.ubi).reverse(),
  );
  control.swapUbis({ a, b });
  control.swapNames({ a, b });
  await syncBoth();

  control.setUbi({ location: a, ubi: '  ' });
  const [run] = await syncBoth();
  t.match(run, {
    status: 'succeeded_with_warnings',
    warnings: [{ code: 'ubi_turned_blank', params: { license_number: a } }],
  });
  t.match(await findHolder(service, perLicense, a), { ubi: before[0]?.ubi }, 'a blank never replaces a known UBI');
  control.setUbi({ location: a, ubi: before[0]?.ubi ?? null });
  const [repaired] = await syncBoth();
  t.strictSame(repaired.warnings, []);
});

t.test('a wrong password', async (t) => {
  const path = `/v1/tenants/${perLicense}`;
  const before = await fingerprint(service);
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: 'changed', endSessions: true });
  const logins = control.counters().logins;
  const run = await syncTenant(service, perLicense, { refresh: 'force' });
  t.match(run, {
    status: 'failed',
    reason: 'credentials_rejected',
    reason_message: { text: /do not use them until they are changed/ },
    counts: null,
    rows: null,
  });
  t.equal(control.counters().logins, logins + 1, 'one login');
  const [credential] = (await ask('GET', `${path}/credentials`)).body.data;
  t.match(credential, { status: 'rejected', status_message: { text: /Update this credential/ } });
  t.strictSame(await fingerprint(service), before, 'nothing was changed');

  for (let times = 0; times < 20; times += 1) {
    const again = await ask('POST', `${path}/syncs`, { body: { refresh: times % 2 === 0 ? 'force' : 'auto' } });
    t.match(again, {
      status: 409,
      body: { code: 'setup_incomplete', next_step: { operation_id: 'updateCredential' } },
    });
  }
  t.equal(control.counters().logins, logins + 1, 'no further login for later runs');
  t.match((await ask('GET', `${path}/setup`)).body.steps[2], { step: 'credentials', status: 'blocked' });

  const etag = (await ask('GET', `${path}/credentials/${credential.id}`)).headers.get('etag') as string;
  const corrected = await ask('PATCH', `${path}/credentials/${credential.id}`, {
    body: { password: 'changed' },
    headers: { 'if-match': etag },
  });
  t.match(corrected, { status: 200, body: { id: credential.id, status: 'valid' } });
  t.match(
    (await syncTenant(service, perLicense, { refresh: 'force' })).status,
    /^succeeded/,
    'works again after it is corrected',
  );

  t.match(
    (await syncTenant(service, perVendor, { refresh: 'auto' })).status,
    /^succeeded/,
    'no login is needed while the list is fresh',
  );
  const other = await syncTenant(service, perVendor, { refresh: 'force' });
  t.match(other, { status: 'failed', reason: 'credentials_rejected' }, 'each tenant has its own login');
  control.changePassword({ ubi: demo.ubi, username: demo.username, password: demo.password });
  for (const tenantId of both) {
    const [each] = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
    const one = `/v1/tenants/${tenantId}/credentials/${each.id}`;
    const match = { 'if-match': (await ask('GET', one)).headers.get('etag') as string };
    t.equal((await ask('PATCH', one, { body: { password: demo.password }, headers: match })).status, 200);
  }
});

t.test('a revoked privilege', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  control.setPrivileges({ ubi: demo.ubi, username: demo.username, privileges: [] });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(run, { status: 'failed', reason: 'privilege_missing' });
  const [credential] = (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
  t.match(credential, { status: 'privilege_missing', status_message: { text: /sync_vendor/ } });
  control.setPrivileges({ ubi: demo.ubi, username: demo.username, privileges: ['sync_vendor', 'sync_check'] });
  t.match(await ask('POST', `/v1/tenants/${tenantId}/credentials/${credential.id}/verify`), {
    body: { result: 'valid' },
  });
  t.match((await syncTenant(service, tenantId, { refresh: 'force' })).status, /^succeeded/);
});

t.test('an outage of BioTrack', async (t) => {
  const before = await fingerprint(service);
  control.setOptions({ offersSyncCheck: false });
  for (const fault of ['server_error', 'html', 'missing_list', 'cut_body', 'reset_in_body', 'json_null'] as const) {
    control.injectFault({ fault, action: 'sync_vendor', times: 0 });
    const run = await syncTenant(service, perLicense, { refresh: 'force' });
    t.match(
      run,
      { status: 'failed', reason: /^(upstream_|list_empty)/, counts: null, rows: null },
      `${fault}: ${run.reason}`,
    );
    t.match(
      (await ask('GET', `/v1/tenants/${perLicense}/credentials`)).body.data[0],
      { status: 'valid' },
      'the credential is still valid',
    );
    control.clearFaults();
    // A successful call, so that the circuit breaker stays closed.
    t.match(
      (await syncTenant(service, perLicense, { refresh: 'force' })).status,
      /^succeeded/,
      'the next sync succeeds',
    );
  }
  t.strictSame(await fingerprint(service), before, 'no failed run changed anything');
  control.setOptions({ offersSyncCheck: true });
});

t.test('concurrent requests start one run', async (t) => {
  control.setOptions({ offersSyncCheck: false });
  // Another process reads the list until all have asked.
  const holdDirectory = () =>
    service.sql(
      `insert into directory_leases (state, environment, holder, until_datetime)
       values ('NM', 'production', gen_random_uuid(), now() + interval '1 hour')`,
    );
  const releaseDirectory = () => service.sql('delete from directory_leases');
  await holdDirectory();
  const calls = control.counters();
  const start = async (): Promise<string> => {
    const { status, body } = await ask('POST', `/v1/tenants/${perLicense}/syncs`, { body: { refresh: 'force' } });
    // On a busy machine, a request may wait for the others for longer than a second.
    if (status === 409) return start();
    t.equal(status, 202);
    return body.id;
  };
  const ids = new Set(await Promise.all(Array.from({ length: 12 }, start)));
  await releaseDirectory();
  t.equal(ids.size, 1, 'twelve requests, one run');
  const run = await waitForRun(service, perLicense, [...ids][0] as string);
  t.match(run, { status: /^succeeded/, attempt: 1 });
  t.equal(control.counters().logins, calls.logins + 1, 'one login');
  t.equal(control.counters().listCalls, calls.listCalls + 1, 'one list call');

  await holdDirectory();
  const getNumber = async (): Promise<number> =>
    Number((await service.sql<{ last_value: string }>('select last_value from directory_requests'))[0]?.last_value);
  const number = await getNumber();
  const before = control.counters();
  const syncing = both.map((tenantId) => syncTenant(service, tenantId, { refresh: 'force' }));
  await until('both have begun', async () => (await getNumber()) >= number + 2);
  await releaseDirectory();
  const runs = await Promise.all(syncing);
  t.ok(runs.every(({ status }) => /^succeeded/.test(status)));
  t.equal(control.counters().listCalls, before.listCalls + 1, 'two tenants share one list');
  control.setOptions({ offersSyncCheck: true });
});

t.test('the preference changes during the first run', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const path = `/v1/tenants/${tenantId}`;
  control.setOptions({ offersSyncCheck: false });
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 2_000 });
  const started = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  await until('a list call', async () => control.counters().listCallsInFlight > 0);
  const etag = (await ask('GET', `${path}/company-creation-preference`)).headers.get('etag') as string;
  const put = await ask('PUT', `${path}/company-creation-preference`, {
    body: { strategy: 'one_per_vendor' },
    headers: { 'if-match': etag },
  });
  t.equal(put.status, 200, 'can be changed before the first sync');
  const run = await waitForRun(service, tenantId, started.body.id);
  t.match(run, { status: 'superseded', reason: 'superseded', strategy: 'one_per_license' });
  const [next] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(next, { trigger: 'superseded', strategy: 'one_per_vendor' }, 'a new run replaces it');
  t.match((await waitForRun(service, tenantId, next.id)).status, /^succeeded/);
  t.equal((await readCompanies(service, tenantId)).length, readList(service).vendors + readList(service).blanks);
  control.setOptions({ offersSyncCheck: true });
});

t.test('the UBI changes during a run', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const path = `/v1/tenants/${tenantId}`;
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  const before = await readCompanies(service, tenantId);
  control.setOptions({ offersSyncCheck: false });
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 2_000 });
  const started = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  await until('a list call', async () => control.counters().listCallsInFlight > 0);
  const etag = (await ask('GET', `${path}/ubi`)).headers.get('etag') as string;
  const sold = control.rows().find(({ deleted, ubi }) => !deleted && ubi !== null && /^[0-9]{9}$/.test(ubi));
  const body = { ubi: sold?.ubi, confirm: 'change_ubi' };
  const put = await ask('PUT', `${path}/ubi`, { body, headers: { 'if-match': etag } });
  t.equal(put.status, 200, JSON.stringify(put.body));
  const run = await waitForRun(service, tenantId, started.body.id);
  t.match(run, { status: 'superseded', reason: 'superseded' }, 'it was for another UBI');
  t.strictSame(await readCompanies(service, tenantId), before, 'nothing was changed');
  const [next] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(next, { trigger: 'superseded', mode: 'full', refresh: 'force' }, 'a new run replaces it');
  t.match(
    await waitForRun(service, tenantId, next.id),
    { status: 'failed', reason: 'credentials_rejected' },
    'the login is for the old UBI',
  );
  const back = await ask('PUT', `${path}/ubi`, {
    body: { ubi: simulator.demo.ubi, confirm: 'change_ubi' },
    headers: { 'if-match': put.headers.get('etag') as string },
  });
  t.equal(back.status, 200);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  t.strictSame(await readCompanies(service, tenantId), before, 'nothing is lost');
  control.setOptions({ offersSyncCheck: true });
});

t.test('the state’s environment changes during the first run', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const path = `/v1/tenants/${tenantId}`;
  control.setOptions({ offersSyncCheck: false });
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 2_000 });
  const started = await ask('POST', `${path}/syncs`, { body: { refresh: 'force' } });
  await until('a list call', async () => control.counters().listCallsInFlight > 0);
  const etag = (await ask('GET', path)).headers.get('etag') as string;
  const body = { name: 'Test', state: 'NM', environment: 'training' };
  t.equal((await ask('PUT', path, { body, headers: { 'if-match': etag } })).status, 200);
  const run = await waitForRun(service, tenantId, started.body.id);
  t.match(
    run,
    { status: 'superseded', reason: 'superseded' },
    'although the list of the other environment was never read',
  );
  const [next] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(next, { trigger: 'superseded' }, 'a new run replaces it');
  await waitForRun(service, tenantId, next.id);
  control.setOptions({ offersSyncCheck: true });
});

t.test('replaying the change feed gives the current state', async (t) => {
  for (const tenantId of both) {
    const replica = await readFeed(service, tenantId, EMPTY_REPLICA, 33);
    checkReplica(replica, await readFeedTables(service.sql, tenantId));
    t.ok(replica.counts.snapshot > 0, `${replica.counts.snapshot} objects`);
  }
});

t.test('tenants are isolated', async (t) => {
  const ids = await Promise.all(
    both.map(async (tenantId) => (await readCompanies(service, tenantId, '&archived=include')).map(({ id }) => id)),
  );
  t.strictSame(
    ids[0]?.filter((id) => ids[1]?.includes(id)),
    [],
    'no company belongs to both',
  );
  let leaks = 0;
  for (const id of ids[0]?.slice(0, 50) ?? []) {
    const { status } = await ask('GET', `/v1/tenants/${perVendor}/companies/${id}`);
    if (status !== 404) leaks += 1;
  }
  t.equal(leaks, 0, 'the companies of the other tenant are not found');

  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  try {
    const tables = await service.sql<{ name: string }>(
      `select relname as name from pg_class where relforcerowsecurity and relnamespace = 'public'::regnamespace`,
    );
    t.ok(tables.length >= 9, `${tables.length} tables`);
    for (const { name } of tables) {
      for (const [what, tenantId] of [
        ['no tenant', ''],
        ['one', perLicense],
        ['the other tenant', perVendor],
      ] as const) {
        await client.query('begin; set local role biotrack_app');
        await client.query(`select set_config('app.tenant_id', $1, true)`, [tenantId]);
        const { rows } = await client.query<{ foreign: number }>(
          `select count(*) filter (where tenant_id::text <> $1)::int as foreign from ${name}`,
          [tenantId],
        );
        t.equal(rows[0]?.foreign, 0, `${name}: ${what} sees no row of others`);
        await client.query('rollback');
      }
    }
    for (const write of [
      `update companies set display_name = 'x' where tenant_id = '${perVendor}'`,
      `delete from company_licenses where tenant_id = '${perVendor}'`,
      `delete from tenants where tenant_id = '${perVendor}'`,
      // Its own are too young.
      `delete from changes`,
    ]) {
      await client.query(`begin; set local role biotrack_app; set local app.tenant_id = '${perLicense}'`);
      t.equal((await client.query(write)).rowCount, 0, write.slice(0, 30));
      await client.query('rollback');
    }
    for (const write of [
      `update companies set tenant_id = '${perVendor}'`,
      `insert into changes (tenant_id, seq, kind, actor) values ('${perVendor}', 999999, 'x', 'x')`,
      `update changes set kind = 'x'`,
      `select * from api_keys`,
      `select * from graphile_worker._private_jobs`,
    ]) {
      await client.query(`begin; set local role biotrack_app; set local app.tenant_id = '${perVendor}'`);
      await client.query(`set local app.tenant_id = '${perLicense}'`);
      const refused = await client.query(write).then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
      // 42501 (insufficient privilege) is also the error of a violated policy.
      t.equal(refused, '42501', `${write.slice(0, 40)}: ${refused}`);
      await client.query('rollback');
    }
  } finally {
    await client.end();
  }
});

t.test('API and worker in separate processes', async (t) => {
  const api = await startTestService(t, { role: 'api' });
  const tenantId = await makeTenant(api, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/syncs`;
  const { body: queued } = await api.ask('POST', path, { body: {} });
  await pause(1_000);
  t.match(
    await api.ask('GET', `${path}/${queued.id}`),
    { body: { status: 'queued', attempt: 0, started_datetime: null } },
    'queued while there is no worker',
  );
  t.equal((await api.ask('POST', path, { body: {} })).body.id, queued.id, 'another request returns the same run');
  const worker = await startTestService(t, { role: 'worker', beside: api });
  const done = await waitForRun(api, tenantId, queued.id);
  t.match(done, { status: /^succeeded/, attempt: 1 }, 'a worker executes it');
  t.ok((await readCompanies(api, tenantId)).length > 0);
  const refused = await fetch(worker.baseUrl).then(
    () => 'served',
    () => 'refused',
  );
  t.equal(refused, 'refused', 'a worker has no HTTP port');

  t.comment('a stopped worker hands over its run');
  api.simulator.control.injectFault({ fault: 'hang', action: 'sync_check' });
  const { body: held } = await api.ask('POST', path, { body: { refresh: 'force' } });
  await until('a call that hangs', async () => api.simulator.control.counters().callsInFlight > 0);
  const startedAt = Date.now();
  await worker.stop();
  t.ok(Date.now() - startedAt < PATIENCE_MS, `stopped in ${Date.now() - startedAt} ms with a call that hangs`);
  t.match(
    await api.ask('GET', `${path}/${held.id}`),
    { body: { status: 'queued', attempt: 0 } },
    'requeued without counting an attempt',
  );
  const second = await startTestService(t, { role: 'worker', beside: api });
  t.match(
    await waitForRun(api, tenantId, held.id),
    { status: /^succeeded/, attempt: 1 },
    'finished by the next worker',
  );
  t.equal(second.logged().includes('"run.reason":"internal"'), false);
});

t.test('the run of a killed worker is taken over', async (t) => {
  const api = await startTestService(t, { role: 'api' });
  const tenantId = await makeTenant(api, 'credential', 'one_per_license');
  const path = `/v1/tenants/${tenantId}/syncs`;
  const { body: run } = await api.ask('POST', path, { body: {} });
  // The state after a worker is killed while fetching: its job is locked, its lease expires.
  const locked = await api.sql<{ id: string }>(
    `update graphile_worker._private_jobs set locked_at = now(), locked_by = 'a dead worker', attempts = 1 returning id::text`,
  );
  t.equal(locked.length, 1);
  await api.sql(
    `update sync_runs set status = 'running', step = 'fetching', attempt = 1, fence = 1, started_datetime = now(),
            leased_until_datetime = now() - interval '1 second' where id = $1`,
    [run.id],
  );
  const startedAt = Date.now();
  const timing = { runs: { attempts: 5, baseSeconds: 0, maxSeconds: 0 } };
  await startTestService(t, { role: 'worker', beside: api, timing });
  const done = await waitForRun(api, tenantId, run.id);
  t.match(done, { status: /^succeeded/, attempt: 2 }, 'taken over');
  t.ok(Date.now() - startedAt < PATIENCE_MS, `after ${Date.now() - startedAt} ms`);
  t.equal(
    (await readCompanies(api, tenantId)).length,
    readList(api).active.length,
    'no company is missing or duplicated',
  );
});

t.test('a worker that lost its lease writes nothing', async (t) => {
  const paused = await startTestService(t);
  const { sql, simulator } = paused;
  const tenantId = await makeTenant(paused, 'credential', 'one_per_vendor');
  const path = `/v1/tenants/${tenantId}/syncs`;
  simulator.control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 3_000 });
  const { body: run } = await paused.ask('POST', path, { body: {} });
  await until('a list call', async () => simulator.control.counters().listCallsInFlight > 0);
  // Another worker took over and finished the run, with a higher fence.
  await sql(
    `update sync_runs set fence = fence + 1, attempt = attempt + 1, status = 'failed', reason = 'interrupted', step = 'done',
            leased_until_datetime = null, finished_datetime = now() where id = $1`,
    [run.id],
  );
  await pause(4_500);
  t.match(await paused.ask('GET', `${path}/${run.id}`), {
    body: { status: 'failed', reason: 'interrupted', attempt: 2, counts: null },
  });
  t.strictSame(await readCompanies(paused, tenantId, '&archived=include'), [], 'no company was written');
  t.equal((await sql('select from changes')).length, 0, 'no change was written');
  t.match((await syncTenant(paused, tenantId)).status, /^succeeded/, 'the next run succeeds');
});

t.test('a run that is interrupted too often fails', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const { body: run } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: {} });
  await waitForRun(service, tenantId, run.id);
  await service.sql(
    `update sync_runs set status = 'running', step = 'fetching', attempt = 5, finished_datetime = null, counts = null,
            row_counts = null, directory_version = null, leased_until_datetime = now() - interval '1 hour' where id = $1`,
    [run.id],
  );
  t.match(await waitForRun(service, tenantId, run.id), { status: 'failed', reason: 'interrupted', attempt: 6 });
});

t.test('the invariants hold, and each violation is detected', async (t) => {
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  t.teardown(() => client.end());
  t.strictSame(await findBrokenInvariants(client), [], 'all invariants hold');
  const labels = await listInvariants();
  t.strictSame(
    labels.slice().sort(),
    Object.keys(toViolations(perLicense, perVendor)).sort(),
    'each invariant has a violation',
  );
  for (const [label, violation] of Object.entries(toViolations(perLicense, perVendor))) {
    await client.query('begin');
    // Disables foreign keys, whose triggers do not run for replicas.
    await client.query(`set local session_replication_role = 'replica'`);
    await client.query(violation);
    const broken = await findBrokenInvariants(client);
    t.ok(
      broken.some((line) => line.startsWith(`${label}: `)),
      `${label} (${broken.length} lines)`,
    );
    await client.query('rollback');
  }
  t.strictSame(await findBrokenInvariants(client), [], 'all invariants hold again');

  const environment = readEnv({ DATABASE_URL: service.databaseUrl });
  const lines: string[] = [];
  t.equal(await checkInvariants(environment, (line) => lines.push(line)), 0, 'the operator command reports the same');
  t.match(lines, [/^\d+ tenants checked, 0 violations\.$/]);
  await client.query(`update tenants set last_change_seq = last_change_seq + 1 where tenant_id = '${perLicense}'`);
  t.equal(await checkInvariants(environment, (line) => lines.push(line)), 1);
  t.match(lines.slice(1), [new RegExp(`^changes: a gap: ${perLicense}`), /^\d+ tenants checked, 1 violations\.$/]);
  await client.query(`update tenants set last_change_seq = last_change_seq - 1 where tenant_id = '${perLicense}'`);
});

/** A minimal violation of each invariant, in a database with two synced tenants. */
function toViolations(one: string, vendor: string): Readonly<Record<string, string>> {
  const license = (tenantId: string): string =>
    `(select id from company_licenses where tenant_id = '${tenantId}' and active and ubi_key is not null order by id limit 1)`;
  const unused = `'00000000-0000-7000-8000-000000000000'`;
  const drop = (table: string, kind: string): string =>
    `do $$ declare found record; begin for found in select conname from pg_constraint where conrelid = '${table}'::regclass
       and contype in (${kind}) loop execute format('alter table ${table} drop constraint %I cascade', found.conname); end loop; end $$;`;
  return {
    'I4 an active license has no active company': `update companies set archived_datetime = now() where tenant_id = '${one}'`,
    'I5 an active company has no active license': `update company_licenses set active = false where id = ${license(one)}`,
    'I10 a license without a UBI shares its company': `update company_licenses set ubi_key = null, company_id = (select company_id from company_licenses where tenant_id = '${one}' and id <> ${license(one)} and active limit 1) where id = ${license(one)}`,
    'I11 the rows of a run do not add up': `update sync_runs set row_counts = jsonb_set(row_counts, '{used}', '1') where tenant_id = '${one}' and row_counts is not null`,
    'I11 the rows of a directory do not add up': `update directories set fetched_rows = fetched_rows + 1`,
    'I11 the totals of the last sync do not match the rows': `update sync_states set object_totals = jsonb_set(object_totals, '{companies}', '1') where tenant_id = '${one}'`,
    'I11 the rows of a run do not match its list': `delete from directory_licenses; update directories set fetched_rows = duplicate_rows + skipped_rows`,
    'I11 the counts of a run do not match its changes': `update sync_runs set counts = jsonb_set(counts, '{created}', '1') where tenant_id = '${one}' and first_change_seq is not null`,
    'I11 the counts of a run do not match its plan': `update sync_runs set plan_digest = 'x', first_change_seq = null, last_change_seq = null where tenant_id = '${one}'`,
    'I17 more companies than licenses': `delete from company_licenses where tenant_id = '${one}' and id = ${license(one)}`,
    'I17 more licenses than rows': `delete from directory_licenses`,
    'I19 superseded_by is not a company of the tenant': `update companies set superseded_by = ${unused}, archived_datetime = now() where tenant_id = '${one}'`,
    'I19 a memory refers to no company of the tenant': `update vendor_companies set company_id = ${unused} where tenant_id = '${vendor}' and ubi_key = '${demo.ubi}'`,
    'I19 a change refers to no company or license of the tenant': `update changes set company_id = ${unused} where tenant_id = '${one}' and seq = 1`,
    'I19 a change refers to no run of the tenant': `update changes set run_id = ${unused} where tenant_id = '${one}' and seq = 1`,
    'I19 a license refers to no credential of the tenant': `insert into licenses (tenant_id, id, license_key, license_number, active, credential_id, sync_enabled, create_companies, sync_rooms, notify_on_change, share_with_leaflink) values ('${one}', ${unused}, 'x', 'x', true, ${unused}, true, true, true, true, true)`,
    'I19 a constraint is not validated': `alter table companies add constraint planted check (id is not null) not valid`,
    'memory: two licenses have the same own company': `${drop('company_licenses', `'u', 'f'`)} update company_licenses set own_company_id = company_id where tenant_id = '${vendor}'`,
    'memory: two UBIs have the same vendor company': `${drop('vendor_companies', `'u', 'f'`)} update vendor_companies set company_id = (select company_id from vendor_companies where tenant_id = '${vendor}' limit 1) where tenant_id = '${vendor}'`,
    'memory: a UBI has two vendor companies': `${drop('vendor_companies', `'p', 'u', 'f'`)} insert into vendor_companies select * from vendor_companies where tenant_id = '${vendor}'`,
    'license: duplicate license key': `${drop('company_licenses', `'u', 'f'`)} update company_licenses set license_key = 'x' where tenant_id = '${vendor}'`,
    'strategy: with one_per_license, a license is not in its own company': `update company_licenses set own_company_id = null where id = ${license(one)}`,
    'strategy: with one_per_vendor, a license is not in the company of its UBI': `delete from vendor_companies where tenant_id = '${vendor}' and ubi_key = '${demo.ubi}'`,
    'company: two active companies have the same display name': `update companies set display_name = 'x' where tenant_id = '${one}'`,
    'company: superseded by an archived company without licenses': `update companies set archived_datetime = now(), superseded_by = id where tenant_id = '${one}'; delete from company_licenses where tenant_id = '${one}'`,
    'company: active and superseded': `${drop('companies', `'c'`)} update companies set superseded_by = id where tenant_id = '${one}' and archived_datetime is null`,
    'company: an active license has another UBI': `update companies set ubi_key = 'x' where tenant_id = '${one}'`,
    'search: the text of a company is not what its fields give': `update companies set legal_search_text = 'x' where tenant_id = '${one}'`,
    'search: the text of a license is not what its fields give': `update company_licenses set search_text = 'x' where id = ${license(one)}`,
    'license: active and missing': `update company_licenses set missing_since_datetime = now() where id = ${license(one)}`,
    'changes: a gap': `delete from changes where tenant_id = '${one}'`,
    'changes: the feed starts after its end': `update tenants set feed_start_seq = last_change_seq + 1 where tenant_id = '${one}'`,
    'changes: the first sync has no run': `update tenants set first_synced_run_id = ${unused} where tenant_id = '${one}'`,
    'companies: the run that created one does not exist': `update companies set created_run_id = ${unused} where tenant_id = '${one}'`,
    'run: two active full runs': `drop index sync_runs_active; update sync_runs set status = 'queued', finished_datetime = null, counts = null, row_counts = null, directory_version = null, reason = null where tenant_id = '${one}'`,
    'run: status and finished_datetime do not match': `update sync_runs set finished_datetime = null where tenant_id = '${one}'`,
    'run: status and reason do not match': `update sync_runs set reason = 'internal' where tenant_id = '${one}'`,
    'run: status and counts do not match': `update sync_runs set counts = null where tenant_id = '${one}' and status like 'succeeded%'`,
    'run: its changes belong to another run': `update changes set run_id = null where tenant_id = '${one}' and seq = 1`,
    'strategy: a manually added license is in another company without a decision': `update company_licenses set named_by_company_id = (select id from companies where tenant_id = '${one}' and id <> company_licenses.company_id limit 1) where id = ${license(one)}`,
    'decision: a company represents two UBIs': `insert into conflicts (tenant_id, id, ubi_key, ubi, company_ids, status, decision, decided_company_id) select tenant_id, ${unused}, 'x', 'x', array[company_id], 'resolved', 'merge', company_id from vendor_companies where tenant_id = '${vendor}' limit 1`,
    'isolation: a tenant table without forced row-level security': `alter table companies no force row level security`,
    'isolation: a tenant table without a tenant policy': `drop policy tenant_isolation on licenses`,
    'isolation: a unique key of a tenant table does not start with tenant_id': `create unique index planted on companies (id)`,
    'isolation: a role has too many rights': `alter role biotrack_app bypassrls`,
  };
}

t.test('the first license starts the first sync', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const { location } = control.rows({ ubi: demo.ubi })[0] as { location: string };
  const path = `/v1/tenants/${tenantId}`;
  t.equal((await ask('POST', `${path}/licenses`, { body: { license_number: location } })).status, 201);
  const [run] = (await ask('GET', `${path}/syncs`)).body.data;
  t.match(run, { trigger: 'setup_completed' });
  t.match(await waitForRun(service, tenantId, run.id), { status: /^succeeded/, counts: { archived: 0 } });
});
