import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** Plans of runs, and guards that require a review. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, contract, simulator, newId } = service;
const { control, demo } = simulator;
const { readAll, readCompanies, edit } = createTenantClient(service);

type Body = TestResponse['body'];

t.test('getSyncPlan of a preview and of an applied run', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const started = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { mode: 'preview' } });
  const previewed = await waitForRun(service, tenantId, started.body.id);
  t.match(previewed, { mode: 'preview', status: 'succeeded', applied_datetime: null });
  t.strictSame(await readCompanies(tenantId), [], 'nothing is written');
  const run = await syncTenant(service, tenantId);
  t.strictSame(run.counts, previewed.counts, 'the sync does what the preview listed');
  const planOf = (id: string) => readAll(`${pathOf(tenantId)}/syncs/${id}/plan?page[size]=50`);
  const tally = (items: Body[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { action, kind, reason, license_number: number } of items) {
      const key = `${action} ${kind} ${reason} ${number}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  };
  t.strictSame(tally(await planOf(run.id)), tally(await planOf(previewed.id)));
  const nothing = await syncTenant(service, tenantId);
  const idle = await planOf(nothing.id);
  t.ok(idle.every(({ action }) => action === 'unchanged' || action === 'skipped'));
  t.equal(idle.filter(({ action }) => action === 'unchanged').length, nothing.counts.unchanged);
  t.match(await ask('GET', `${pathOf(tenantId)}/syncs/${newId()}/plan`), { status: 404 });
  t.match(await ask('GET', `${pathOf(tenantId)}/syncs/${run.id}/plan?page[after]=x`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  });
});

t.test('guards: many removals must be reviewed', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const other = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  // Each refresh is below the guard of the directory; together they are above the guard of the tenant.
  const victims = control
    .rows()
    .filter(({ ubi, deleted }) => ubi !== demo.ubi && !deleted)
    .slice(0, 26)
    .map(({ location }) => location);
  const vanish = async (from: number, to: number): Promise<void> => {
    for (const location of victims.slice(from, to)) control.vanish({ location });
    await syncTenant(service, other, { refresh: 'force' });
  };
  await vanish(0, 10);
  await vanish(10, 20);
  const before = await readCompanies(tenantId);
  const review = await syncTenant(service, tenantId);
  t.match(review, { status: 'needs_review', reason: null, reason_detail: /licenses would become inactive/ });
  t.strictSame(await readCompanies(tenantId), before, 'nothing is written');
  const path = `${pathOf(tenantId)}/syncs/${review.id}`;
  const items = await readAll(`${path}/plan?page[size]=500`);
  t.equal(items.filter(({ reason, license_id }) => reason === 'vanished' && license_id !== null).length, 20);
  await edit(tenantId, before[0].id, { relationship_type: 'customer' });
  t.match(await ask('POST', `${path}/confirm`), { status: 409, body: { code: 'plan_stale' } }, 'stale after an edit');
  const second = await syncTenant(service, tenantId);
  t.equal(second.status, 'needs_review');
  t.equal((await ask('GET', path)).body.status, 'superseded', 'superseded by a newer run');
  t.match(await ask('POST', `${path}/confirm`), { status: 409, body: { code: 'not_in_review' } });
  const dismissed = await ask('POST', `${pathOf(tenantId)}/syncs/${second.id}/dismiss`);
  t.match(dismissed, { status: 200, body: { status: 'canceled' } });
  t.match(await ask('POST', `${pathOf(tenantId)}/syncs/${second.id}/dismiss`), {
    status: 409,
    body: { code: 'not_in_review' },
  });
  const quiet = await syncTenant(service, tenantId);
  t.match(
    quiet,
    { status: 'succeeded_with_warnings', warnings: [{ code: 'plan_dismissed' }], counts: { archived: 0 } },
    'no review for the same directory',
  );
  t.strictSame(quiet.rows, second.rows, 'the row counts are those of the list, although nothing was applied');
  await vanish(20, 21);
  const third = await syncTenant(service, tenantId);
  t.equal(third.status, 'needs_review', 'reviewed again when the directory changes');
  const confirmed = await ask('POST', `${pathOf(tenantId)}/syncs/${third.id}/confirm`);
  t.match(confirmed, { status: 200, body: { status: /^succeeded/, counts: third.counts } });
  t.not(confirmed.body.finished_datetime, third.finished_datetime, 'finished when it was confirmed');
  const done = await readAll(`${pathOf(tenantId)}/syncs/${third.id}/plan?page[size]=500`);
  t.equal(
    done.filter(({ reason, license_id }) => reason === 'vanished' && license_id !== null).length,
    21,
    'the plan items of the applied run',
  );
  const left = await readCompanies(tenantId);
  t.equal(left.length, before.length - 21, 'the plan is applied');
  t.match(await syncTenant(service, tenantId), { status: /^succeeded/, counts: { archived: 0, updated: 0 } });
  for (const location of victims.slice(0, 21)) control.restore({ location });
});

t.test('guards: a much shorter list must be accepted by an operator', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 150 } });
  const tenantId = await makeTenant(alone);
  await syncTenant(alone, tenantId);
  const victims = alone.simulator.control
    .rows()
    .filter(({ ubi, deleted }) => ubi !== demo.ubi && !deleted)
    .slice(0, 40);
  for (const { location } of victims) alone.simulator.control.vanish({ location });
  const review = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.match(review, { status: 'needs_review', reason: 'list_shrunk' });
  const calls = alone.simulator.control.counters().listCalls;
  await alone.sql(`update directories set refreshed_datetime = now() - interval '1 day'`);
  const again = await syncTenant(alone, tenantId);
  t.match(again, { status: 'needs_review', reason: 'list_shrunk' });
  t.equal(alone.simulator.control.counters().listCalls, calls, 'the list is not fetched again at once');
  const path = `${pathOf(tenantId)}/syncs/${again.id}`;
  const admin = await alone.ask('POST', '/v1/api-keys', {
    body: { description: 'x', role: 'admin', tenant_id: tenantId },
  });
  t.match(await alone.ask('POST', `${path}/confirm`, { key: admin.body.secret }), {
    status: 403,
    body: { code: 'forbidden' },
  });
  const newcomer = await makeTenant(alone);
  const held = await syncTenant(alone, newcomer);
  t.match(held, { status: 'needs_review', reason: 'list_shrunk' });
  const { steps, next_step: next } = (await alone.ask('GET', `${pathOf(newcomer)}/setup`)).body;
  t.match(
    steps[4],
    { step: 'first_sync', status: 'blocked', who: 'operator', blockers: [/needs a review.*An operator must/] },
    'the checklist does not send an admin to an operator task',
  );
  t.equal(next.operation_id, 'createLicense', 'an admin can do the next step meanwhile');
  // The state after a process stopped right after the list was accepted.
  await alone.sql('update directories set accepted_digest = refused_digest, refused_datetime = null');
  const accepted = await alone.ask('POST', `${path}/confirm`);
  t.match(accepted, { status: 200, body: { status: 'queued', refresh: 'force' } });
  const run = await waitForRun(alone, tenantId, accepted.body.id);
  t.match(run, { status: 'succeeded', counts: { archived: 40 } }, 'the tenant is not asked again for the same loss');
  t.match(await alone.ask('POST', `${path}/confirm`), { status: 409 });
});

t.test('a much shorter list: its plan, its dismissal and its acceptance', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 60 } });
  const { control: state } = alone.simulator;
  const [tenantId, other] = [await makeTenant(alone), await makeTenant(alone)];
  for (const each of [tenantId, other]) await syncTenant(alone, each);
  const active = state.rows().filter(({ deleted }) => !deleted);
  const victims = active.filter(({ ubi }) => ubi !== demo.ubi).map(({ location }) => location);
  const gone = victims.slice(0, 35);
  const [another] = victims.slice(35) as [string];
  for (const location of gone) state.vanish({ location });
  const readAlone = createTenantClient(alone);
  const before = await readAlone.readCompanies(tenantId);

  const text = `It would remove ${gone.length} of ${active.length} licenses.`;
  const expectReview = async (run: Body): Promise<void> => {
    t.match(run, { status: 'needs_review', reason: 'list_shrunk', rows: null, directory_version: 1 });
    t.ok(run.reason_detail.includes(text), run.reason_detail);
    t.match(run.counts, { archived: gone.length, licenses_deactivated: gone.length });
    const items = await readAlone.readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
    const missing = items.filter(({ kind }) => kind === 'license.deactivated');
    t.strictSame(missing.map(({ license_number: number }) => number).sort(), gone.toSorted(), 'the missing numbers');
    t.ok(missing.every(({ reason }) => reason === 'vanished'));
    t.strictSame(await readAlone.readCompanies(tenantId), before, 'nothing is written');
  };
  await expectReview(await syncTenant(alone, tenantId, { refresh: 'force' }));
  await alone.sql(`update directories set refreshed_datetime = now() - interval '1 day'`);
  const review = await syncTenant(alone, tenantId);
  await expectReview(review);

  const dismissed = await alone.ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/dismiss`);
  t.match(dismissed, { status: 200, body: { status: 'canceled' } });
  for (const refresh of ['auto', 'force', 'force'] as const) {
    const run = await syncTenant(alone, tenantId, { refresh });
    t.match(run, { status: 'succeeded_with_warnings', reason: null, warnings: [{ code: 'list_dismissed' }] }, refresh);
    t.equal(run.counts.unchanged, before.length, 'the last accepted list stays in use');
  }
  const preview = await alone.ask('POST', `${pathOf(tenantId)}/syncs`, { body: { mode: 'preview' } });
  t.match(await waitForRun(alone, tenantId, preview.body.id), { status: 'succeeded' });
  t.match(await syncTenant(alone, other, { refresh: 'force' }), { status: 'needs_review' }, 'only for this tenant');

  state.vanish({ location: another });
  const shorter = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.match(shorter, { status: 'needs_review', reason: 'list_shrunk' }, 'until the state lists something else');
  state.restore({ location: another });
  const known = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.match(known, { warnings: [{ code: 'list_dismissed' }] }, 'the same list is still dismissed');

  const accepted = await alone.ask('POST', `${pathOf(tenantId)}/syncs/${known.id}/confirm`);
  t.match(accepted, { status: 200, body: { status: 'queued' } }, 'an operator can still accept it');
  const run = await waitForRun(alone, tenantId, accepted.body.id);
  t.match(run, { status: 'succeeded', counts: { archived: gone.length } });
  t.match(
    await syncTenant(alone, other),
    { status: 'succeeded', counts: { archived: gone.length } },
    'no tenant is asked again for the same loss',
  );
});

t.test('every documented response of these operations occurred', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['plans.test.ts'], isOwnOutcome), []);
});
