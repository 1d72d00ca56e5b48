import pg from 'pg';
import t from 'tap';
import { deleteExpiredRuns } from '../../src/modules/syncs/index.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** How long runs and previews are kept. */

type Body = TestResponse['body'];

/** It sweeps at its start only. */
const service = await startTestService(t, { simulator: { licenses: 40 }, timing: { sweepMs: 3_600_000 } });
const { ask, sql, newId } = service;
const RETENTION = { runsDays: 90, previewsHours: 24 };

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;

async function sweep(): Promise<void> {
  while (await deleteExpiredRuns(service.service.db, RETENTION));
}

/** Moves the end of a run into the past. */
const age = (id: string, by: string): Promise<unknown> =>
  sql('update sync_runs set finished_datetime = now() - $2::interval where id = $1', [id, by]);

async function readIds(tenantId: string): Promise<string[]> {
  const rows = await sql<{ id: string }>('select id from sync_runs where tenant_id = $1 order by id', [tenantId]);
  return rows.map(({ id }) => id);
}

/** A run that has ended as given, in the order of the calls. */
async function addRun(tenantId: string, columns: Readonly<Record<string, unknown>>): Promise<string> {
  const row = {
    tenant_id: tenantId,
    id: newId(),
    trigger: 'schedule',
    mode: 'full',
    refresh: 'auto',
    strategy: 'one_per_license',
    step: 'done',
    requested_by: 'schedule',
    ...columns,
  };
  const names = Object.keys(row);
  await sql(
    `insert into sync_runs (${names.join()}, finished_datetime)
     values (${names.map((_, index) => `$${index + 1}`).join()}, now() - interval '91 days')`,
    Object.values(row),
  );
  return row.id;
}

const preview = async (tenantId: string, strategy = 'one_per_vendor'): Promise<Body> => {
  const { body } = await ask('POST', `${pathOf(tenantId)}/company-creation-preference/preview`, { body: { strategy } });
  return waitForRun(service, tenantId, body.id);
};

t.test('runs are deleted after RETENTION_RUNS_DAYS, except those that are still needed', async (t) => {
  const tenantId = await makeTenant(service);
  const first = await syncTenant(service, tenantId);
  const failed = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  const unchanged = await addRun(tenantId, { status: 'succeeded', counts: '{"created":0}' });
  const review = await addRun(tenantId, { status: 'needs_review' });
  const dismissedList = await addRun(tenantId, { status: 'canceled', list_digest: 'a' });
  const canceled = await addRun(tenantId, { status: 'canceled' });
  const renamed = await addRun(tenantId, { status: 'succeeded', counts: '{"created":0}', first_change_seq: 1 });
  const last = await addRun(tenantId, { status: 'succeeded_with_warnings', counts: '{"created":0}' });
  const failedLast = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await age(first.id, '400 days');
  const all = [first.id, failed, unchanged, review, dismissedList, canceled, renamed, last, failedLast];
  t.strictSame(await readIds(tenantId), all);
  await Promise.all([sweep(), sweep()]);
  t.strictSame(
    await readIds(tenantId),
    [first.id, review, dismissedList, last, failedLast],
    'the creator, the review, the dismissal, the last successful run and the last failure',
  );
  t.equal((await ask('GET', `${pathOf(tenantId)}/syncs/${failed}`)).status, 404);
  t.equal((await ask('GET', `${pathOf(tenantId)}/syncs/${first.id}`)).status, 200);
  const young = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await age(young, '89 days');
  // It supersedes the review.
  const newest = await syncTenant(service, tenantId);
  await sweep();
  t.strictSame(await readIds(tenantId), [first.id, dismissedList, young, newest.id]);
});

t.test('of a tenant whose syncs fail, the last failure is kept', async (t) => {
  const tenantId = await makeTenant(service);
  await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await addRun(tenantId, { status: 'canceled' });
  const last = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await sweep();
  t.strictSame(await readIds(tenantId), [last]);
});

t.test('previews are deleted after RETENTION_PREVIEWS_HOURS, and all but the last five', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const previews: string[] = [];
  while (previews.length < 7) previews.push((await preview(tenantId)).id);
  await sweep();
  t.strictSame((await readIds(tenantId)).slice(1), previews, 'not while they are new');
  for (const id of previews) await age(id, '11 minutes');
  const failed = newId();
  await sql(
    `insert into sync_runs (tenant_id, id, status, trigger, mode, refresh, strategy, step, requested_by, finished_datetime)
     values ($1, $2, 'failed', 'request', 'preview', 'auto', 'one_per_vendor', 'done', 'a', now())`,
    [tenantId, failed],
  );
  await sweep();
  await sql('delete from sync_runs where id = $1', [failed]);
  const countItems = async (): Promise<number> =>
    (await sql('select from sync_plan_items where tenant_id = $1 and run_id = any($2)', [tenantId, previews])).length;
  const kept = previews.slice(2);
  t.strictSame((await readIds(tenantId)).slice(1), kept);
  const items = await countItems();
  t.ok(items > 5, 'their plans are kept');
  await age(kept[0] as string, '25 hours');
  await age(kept[1] as string, '23 hours');
  await sweep();
  t.strictSame((await readIds(tenantId)).slice(1), kept.slice(1));
  t.equal(await countItems(), (items / 5) * 4, 'a plan goes with its preview');

  const path = `${pathOf(tenantId)}/company-creation-preference`;
  const etag = (await ask('GET', path)).headers.get('etag') as string;
  const choose = (previewId: string | undefined) =>
    ask('PUT', path, { body: { strategy: 'one_per_vendor', preview_id: previewId }, headers: { 'if-match': etag } });
  t.match(await choose(kept[0]), { status: 422, body: { code: 'preview_unknown' } });
  const applied = kept[1] as string;
  t.equal((await choose(applied)).status, 200);
  await age(applied, '50 days');
  await sweep();
  t.ok((await readIds(tenantId)).includes(applied), 'an applied preview is kept as long as a run');
});

t.test('a large plan is deleted in parts, and nothing waits for a run that is in use', async (t) => {
  const tenantId = await makeTenant(service);
  await syncTenant(service, tenantId);
  const large = (await preview(tenantId)).id;
  await sql(
    `insert into sync_plan_items (tenant_id, run_id, seq, action, kind, reason)
     select $1, $2, n, 'update', 'company.updated', 'renamed' from generate_series(1000, 13000) n`,
    [tenantId, large],
  );
  await age(large, '25 hours');
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  t.teardown(() => client.end());
  await client.query('begin');
  await client.query('select from sync_runs where id = $1 for update', [large]);
  await sweep();
  t.ok((await readIds(tenantId)).includes(large), 'it is in use');
  await client.query('commit');
  await sweep();
  t.notOk((await readIds(tenantId)).includes(large));
  t.strictSame(await sql('select from sync_plan_items where run_id = $1', [large]), []);
});

t.test('many runs are deleted in batches', async (t) => {
  const tenantId = await makeTenant(service);
  for (let index = 0; index < 120; index += 1) await addRun(tenantId, { status: 'failed', reason: 'internal' });
  const last = await syncTenant(service, tenantId);
  t.equal(await deleteExpiredRuns(service.service.db, RETENTION), true, 'there are more');
  t.equal((await readIds(tenantId)).length, 71);
  await sweep();
  t.strictSame(await readIds(tenantId), [last.id]);
});

t.test('workers delete expired runs by themselves', async (t) => {
  const tenantId = await makeTenant(service);
  const old = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await syncTenant(service, tenantId);
  await startTestService(t, { beside: service, role: 'worker', timing: { sweepMs: 50 } });
  await until('it is deleted', async () => !(await readIds(tenantId)).includes(old));
  t.equal((await readIds(tenantId)).length, 1);
});
