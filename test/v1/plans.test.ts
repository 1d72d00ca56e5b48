import t, { type Test } from 'tap';
import { PLAN_ACTIONS } from '../../src/domain/sync-run.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** Plans of runs, and guards that require a review. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, contract, simulator, newId } = service;
const { control, demo } = simulator;
const { readAll, readCompanies, edit, switchTo, preview } = createTenantClient(service);

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

const companiesOf = ({ company_id: id, from_company_id: from }: Body): string[] =>
  [id, from].filter((each) => each !== null);

/** Compares filtered lists with the items that match of the whole list, in the same order. */
async function checkFilters(t: Test, path: string, what: string): Promise<Body[]> {
  const items = await readAll(`${path}?page[size]=500`);
  const actions = [...new Set(items.map(({ action }) => action))];
  const kinds = [...new Set(items.flatMap(({ kind }) => kind ?? []))];
  const ids = [...new Set(items.filter(({ from_company_id: from }) => from !== null).flatMap(companiesOf))];
  const companies = [...ids.slice(0, 3), ...new Set(items.flatMap(companiesOf).slice(-3))];
  const cases: [query: string, isWanted: (item: Body) => boolean][] = [
    ...PLAN_ACTIONS.map((each): [string, (item: Body) => boolean] => [
      `action=${each}`,
      ({ action }) => action === each,
    ]),
    [`action=${actions.slice(0, 2)}`, ({ action }) => actions.slice(0, 2).includes(action)],
    ...kinds.map((each): [string, (item: Body) => boolean] => [`kind=${each}`, ({ kind }) => kind === each]),
    ['kind=license.moved,company.created', ({ kind }) => ['license.moved', 'company.created'].includes(kind)],
    [
      'action=moved,conflict&kind=license.updated',
      (item) => item.action === 'moved' && item.kind === 'license.updated',
    ],
    ...companies.flatMap((id): [string, (item: Body) => boolean][] => [
      [`company_id=${id}`, (item) => companiesOf(item).includes(id)],
      [
        `company_id=${id}&action=moved,created`,
        (item) => companiesOf(item).includes(id) && ['moved', 'created'].includes(item.action),
      ],
    ]),
    [`company_id=${newId()}`, () => false],
  ];
  for (const [query, isWanted] of cases) {
    const wanted = items.filter(isWanted);
    for (const size of wanted.length > 30 ? [500, 20] : [500, 2]) {
      t.strictSame(await readAll(`${path}?page[size]=${size}&${query}`), wanted, `${what}: ${query} by ${size}`);
    }
  }
  return items;
}

t.test('getSyncPlan with filters, and with names', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const planOf = (id: string): string => `${pathOf(tenantId)}/syncs/${id}/plan`;
  const started = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { mode: 'preview' } });
  await waitForRun(service, tenantId, started.body.id);
  const planned = await checkFilters(t, planOf(started.body.id), 'a preview of the first sync');
  const plannedNames = new Map(
    planned.filter(({ kind }) => kind === 'company.created').map((item) => [item.company_id, item.after.display_name]),
  );
  t.ok(plannedNames.size > 50);
  t.ok(
    planned.every((item) => item.company_name === (plannedNames.get(item.company_id) ?? null)),
    'the names of companies that would be created',
  );

  const first = await syncTenant(service, tenantId);
  const { body: switching } = await preview(tenantId, { strategy: 'one_per_vendor' });
  await waitForRun(service, tenantId, switching.id);
  const stored = await checkFilters(t, planOf(switching.id), 'a preview of a switch');
  const { id: applied } = await switchTo(tenantId, 'one_per_vendor');
  const done = await checkFilters(t, planOf(applied), 'the switch');
  const created = await checkFilters(t, planOf(first.id), 'the first sync, after companies changed');
  t.ok(created.every(({ action }) => ['created', 'skipped', 'unchanged'].includes(action)));

  const companies = await readCompanies(tenantId, '&archived=include&licenses=all');
  const names = new Map(companies.map((company) => [company.id, company.display_name]));
  const licenses = new Map(companies.flatMap((company) => company.licenses).map(({ id, name }: Body) => [id, name]));
  for (const items of [stored, done]) {
    const moved = items.filter(({ action }) => action === 'moved');
    t.ok(moved.length > 5, `${moved.length} licenses move`);
    for (const item of moved) {
      t.match(item, {
        company_id: item.after.company_id,
        company_name: String,
        from_company_id: item.before.company_id,
        from_company_name: names.get(item.before.company_id),
        license_name: licenses.get(item.license_id),
      });
    }
    t.ok(items.every(({ action, from_company_id: from }) => (action === 'moved') === (from !== null)));
  }
  t.ok(
    done.every((item) => item.company_name === (names.get(item.company_id) ?? null)),
    'an applied plan has the names that its companies have',
  );
  t.ok(created.some((item) => item.kind === 'license.created' && item.license_name === item.after.name));

  for (const [name, value] of [
    ['action', 'moved,lost'],
    ['kind', 'company.edited'],
    ['company_id', 'x'],
  ])
    t.match(
      await ask('GET', `${planOf(first.id)}?${name}=${value}`),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `?${name}` }] } },
      `${name}=${value}`,
    );
  const { body: page } = await ask('GET', `${planOf(first.id)}?action=created&page[size]=1`);
  const cursor = new URL(page.next_page).searchParams.get('page[after]');
  t.match(await ask('GET', `${planOf(first.id)}?page[after]=${cursor}`), { body: { code: 'invalid_cursor' } });
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
  t.match(review, { status: 'needs_review', reason: null, reason_message: { text: /licenses would become inactive/ } });
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
    {
      step: 'first_sync',
      status: 'blocked',
      who: 'operator',
      blockers: [{ text: /needs a review.*An operator must/ }],
    },
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
    t.match(run.reason_message, {
      code: 'list_shrunk',
      params: { removed_licenses: gone.length, active_licenses: active.length },
    });
    t.ok(run.reason_message.text.includes(text), run.reason_message.text);
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
