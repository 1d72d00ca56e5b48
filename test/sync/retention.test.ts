import pg from 'pg';
import t from 'tap';
import { deleteExpiredAudit } from '../../src/db/audit.js';
import { deleteExpiredChanges } from '../../src/modules/changes/index.js';
import { deleteExpiredRuns } from '../../src/modules/syncs/index.js';
import { checkReplica, FeedError, readFeed, readFeedTables } from '../helpers/feed.js';
import { findBrokenInvariants } from '../helpers/invariants.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** How long runs and previews are kept. */

type Body = TestResponse['body'];

/** It sweeps at its start only. */
const service = await startTestService(t, { simulator: { licenses: 40 }, timing: { sweepMs: 3_600_000 } });
const { ask, sql, newId } = service;
const RETENTION = { runsDays: 90, previewsHours: 24, changesDays: 400, auditDays: 730 };

const expireChanges = (): Promise<boolean> =>
  deleteExpiredChanges(service.service.db, {
    days: 400,
    shutdown: new AbortController().signal,
    onError: (error) => t.error(error),
  });

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

t.test('changes are deleted after RETENTION_CHANGES_DAYS, but not the last one', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const run = await syncTenant(service, tenantId);
  const start = await readFeed(service, tenantId);
  const { body } = await ask('GET', `${pathOf(tenantId)}/companies?page[size]=2`);
  const [renamed, other] = body.data as [Body, Body];
  const rename = async (id: string, name: string): Promise<void> => {
    const one = `${pathOf(tenantId)}/companies/${id}`;
    const etag = (await ask('GET', one)).headers.get('etag') ?? '';
    t.equal((await ask('PATCH', one, { body: { name }, headers: { 'if-match': etag } })).status, 200);
  };
  await rename(renamed.id, 'First');
  const middle = await readFeed(service, tenantId, start);
  await rename(renamed.id, 'Second');
  await rename(other.id, 'Third');
  const ageChanges = (to: number, by: string): Promise<unknown> =>
    sql('update changes set inserted_datetime = now() - $3::interval where tenant_id = $1 and seq <= $2', [
      tenantId,
      to,
      by,
    ]);
  const readSeqs = async (): Promise<number[]> =>
    (await sql<{ seq: string }>('select seq from changes where tenant_id = $1 order by seq', [tenantId])).map(
      ({ seq }) => Number(seq),
    );
  const all = await readSeqs();
  await expireChanges();
  t.strictSame(await readSeqs(), all, 'none is old enough');

  await ageChanges(middle.seq, '399 days');
  await expireChanges();
  t.strictSame(await readSeqs(), all);
  await ageChanges(middle.seq, '401 days');
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  t.teardown(() => client.end());
  await client.query('begin');
  await client.query('select from tenants where tenant_id = $1 for update', [tenantId]);
  await expireChanges();
  t.strictSame(await readSeqs(), all, 'a tenant in use is left for the next time');
  await client.query('commit');
  await Promise.all([1, 2].map(() => expireChanges()));
  const kept = all.filter((seq) => seq > middle.seq);
  t.strictSame(await readSeqs(), kept, 'up to the first one that has not expired');
  await readFeed(service, tenantId, start).then(
    () => t.fail('the feed has no longer all changes'),
    (error: unknown) => t.match(error, new FeedError('feed_expired')),
  );
  checkReplica(await readFeed(service, tenantId), await readFeedTables(sql, tenantId));

  const history = async (id: string): Promise<Body> =>
    (await ask('GET', `${pathOf(tenantId)}/companies/${id}/history`)).body;
  t.match(
    await history(renamed.id),
    {
      complete_from_datetime: String,
      names: [
        { name: 'First', since_datetime: null, actor: null, run_id: null },
        { name: 'Second', since_datetime: String, until_datetime: null },
      ],
      licenses: [{ since_datetime: null, since_reason: null, until_datetime: null }],
    },
    'the name and the license at the beginning of what is kept',
  );
  t.match((await ask('GET', `${pathOf(tenantId)}/companies/${renamed.id}/explain`)).body, {
    created: { reason: 'first_seen', run_id: run.id, actor: /^api_key:/ },
    licenses: [{ decided: null }],
  });
  const plan = (await ask('GET', `${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`)).body.data;
  t.ok(plan.length > 0);
  t.strictSame(
    plan.filter(({ action }: Body) => action === 'created'),
    [],
    'without the later changes, what the run created cannot be shown as it was',
  );

  await ageChanges(kept.at(-1) as number, '500 days');
  await expireChanges();
  t.strictSame(await readSeqs(), kept.slice(-1), 'cursors name the last change');
  const broken = await findBrokenInvariants(client);
  t.strictSame(broken, []);
});

t.test('a large feed is deleted in short transactions', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  await sql(
    `insert into changes (tenant_id, seq, kind, before, after, actor, inserted_datetime)
     select $1, n, 'company.updated', '{}', '{}', 'test', now() - interval '401 days' from generate_series(1, 12000) n`,
    [tenantId],
  );
  await sql('update tenants set last_change_seq = 12000 where tenant_id = $1', [tenantId]);
  await expireChanges();
  const left = await sql('select seq::int from changes where tenant_id = $1', [tenantId]);
  t.strictSame(left, [{ seq: 12_000 }]);
});

t.test('the audit is deleted after RETENTION_AUDIT_DAYS, also that of deleted tenants', async (t) => {
  const tenantId = await makeTenant(service, 'ubi');
  const path = pathOf(tenantId);
  const countRows = async (): Promise<number> => {
    const [row] = await sql<{ many: number }>('select count(*)::int as many from audit where tenant_id = $1', [
      tenantId,
    ]);
    return row?.many ?? 0;
  };
  const etag = (await ask('GET', path)).headers.get('etag') ?? '';
  t.equal((await ask('DELETE', path, { headers: { 'if-match': etag } })).status, 204);
  const many = await countRows();
  t.ok(many > 2, `${many} entries`);
  await sql(`update audit set inserted_datetime = now() - interval '729 days' where tenant_id = $1`, [tenantId]);
  await deleteExpiredAudit(service.service.db, 730);
  t.equal(await countRows(), many, 'none is old enough');
  await sql(`update audit set inserted_datetime = now() - interval '731 days' where tenant_id = $1`, [tenantId]);
  await Promise.all([1, 2].map(() => deleteExpiredAudit(service.service.db, 730)));
  t.equal(await countRows(), 0);
  t.ok((await sql('select from audit')).length > 0, 'of other tenants');
});

t.test('the service cannot delete what is younger than 30 days', async (t) => {
  const tenantId = await makeTenant(service, 'credential');
  await syncTenant(service, tenantId);
  const readMany = async (): Promise<unknown> =>
    (
      await sql(
        `select (select count(*) from audit where tenant_id = $1)::int as audit,
                (select count(*) from changes where tenant_id = $1)::int as changes`,
        [tenantId],
      )
    )[0];
  const before = await readMany();
  const client = new pg.Client({ connectionString: service.databaseUrl });
  await client.connect();
  t.teardown(() => client.end());
  const runAs = async (role: string, text: string): Promise<void> => {
    await client.query('begin');
    await client.query(`select set_config('role', $1, true), set_config('app.tenant_id', $2, true)`, [role, tenantId]);
    await client.query(text);
    await client.query('commit');
  };
  await runAs('biotrack_app', 'delete from changes');
  await runAs('biotrack_operator', 'delete from audit');
  await runAs('biotrack_operator', 'delete from operator_audit');
  t.strictSame(await readMany(), before);
});

t.test('workers delete expired runs by themselves', async (t) => {
  const tenantId = await makeTenant(service);
  const old = await addRun(tenantId, { status: 'failed', reason: 'internal' });
  await syncTenant(service, tenantId);
  await startTestService(t, { beside: service, role: 'worker', timing: { sweepMs: 50 } });
  await until('it is deleted', async () => !(await readIds(tenantId)).includes(old));
  t.equal((await readIds(tenantId)).length, 1);
});
