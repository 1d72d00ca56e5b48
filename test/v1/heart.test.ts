import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import {
  FIRST_PUT,
  makeTenant,
  startTestService,
  syncTenant,
  type TestResponse,
  waitForRun,
} from '../helpers/service.js';

/** Previews and switches, edits, companies made by hand, conflicts, guards, explanations: what is asked and answered. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, contract, simulator, newId, sql } = service;
const { control, demo } = simulator;

type Body = TestResponse['body'];

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;

async function readAll(path: string): Promise<Body[]> {
  const all: Body[] = [];
  for (let next: string | null = path; next !== null; ) {
    const { status, body } = await ask('GET', next);
    if (status !== 200) throw new Error(`${next} → ${status} ${JSON.stringify(body)}`);
    all.push(...body.data);
    next = body.next_page;
  }
  return all;
}

const readCompanies = (tenantId: string, query = ''): Promise<Body[]> =>
  readAll(`${pathOf(tenantId)}/companies?page[size]=500${query}`);

async function holderOf(tenantId: string, number: string, query = ''): Promise<Body> {
  const [company] = await readCompanies(tenantId, `&license_number=${encodeURIComponent(number)}${query}`);
  return company;
}

async function preference(tenantId: string): Promise<{ etag: string; body: Body }> {
  const answer = await ask('GET', `${pathOf(tenantId)}/company-creation-preference`);
  return { etag: answer.headers.get('etag') as string, body: answer.body };
}

const preview = (tenantId: string, body: object): Promise<TestResponse> =>
  ask('POST', `${pathOf(tenantId)}/company-creation-preference/preview`, { body });

async function choose(tenantId: string, body: object): Promise<TestResponse> {
  const { etag } = await preference(tenantId);
  return ask('PUT', `${pathOf(tenantId)}/company-creation-preference`, { body, headers: { 'if-match': etag } });
}

async function switchTo(tenantId: string, strategy: string): Promise<Body> {
  const { body: run } = await preview(tenantId, { strategy });
  const chosen = await choose(tenantId, { strategy, preview_id: run.id });
  if (chosen.status !== 200) throw new Error(JSON.stringify(chosen.body));
  return run;
}

const edit = async (tenantId: string, id: string, body: object): Promise<TestResponse> => {
  const { headers } = await ask('GET', `${pathOf(tenantId)}/companies/${id}`);
  return ask('PATCH', `${pathOf(tenantId)}/companies/${id}`, {
    body,
    headers: { 'if-match': headers.get('etag') as string },
  });
};

t.test('advice and the free choice', async (t) => {
  const bare = await makeTenant(service, 'tenant');
  const advice = (tenantId: string) => ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`);
  const put = (body: object, headers: Record<string, string> = FIRST_PUT) =>
    ask('PUT', `${pathOf(bare)}/company-creation-preference`, { body, headers });
  t.match(await put({ strategy: 'one_per_vendor' }), { status: 409, body: { code: 'setup_incomplete' } });
  t.match(await preview(bare, { strategy: 'one_per_vendor' }), { status: 409, body: { code: 'setup_incomplete' } });
  t.match(await advice(bare), { status: 409, body: { code: 'setup_incomplete' } });
  const stateless = await makeTenant(service);
  await service.sql(`update tenants set state = 'ZZ' where tenant_id = $1`, [stateless]);
  t.match(await advice(stateless), { status: 422, body: { code: 'unknown_state' } });
  t.match(await syncTenant(service, stateless), {
    status: 'failed',
    reason: 'unknown_state',
    reason_detail: /operator has to configure it/,
  });
  t.match((await ask('GET', `${pathOf(stateless)}/setup`)).body.steps[2], { status: 'blocked', who: 'operator' });
  await service.sql(`update tenants set state = 'NM' where tenant_id = $1`, [stateless]);
  await ask('PUT', `${pathOf(bare)}/ubi`, { headers: FIRST_PUT, body: { ubi: demo.ubi } });
  t.match(await put({ strategy: 'one_per_vendor' }, {}), { status: 428 });
  t.match(await put({ strategy: 'one_per_vendor' }), { status: 201, body: { strategy: 'one_per_vendor' } });
  t.match(await put({ strategy: 'one_per_license' }), { status: 412 });
  t.match(await choose(bare, { strategy: 'one_per_license' }), { status: 200, body: { strategy: 'one_per_license' } });
  t.match(
    await choose(bare, { strategy: 'one_per_vendor', preview_id: newId() }),
    { status: 422, body: { code: 'preview_unknown', errors: [{ pointer: '/preview_id' }] } },
    'a preview that is none',
  );
  t.match(await preview(bare, { strategy: 'one_per_vendor' }), { status: 409, body: { code: 'not_synced' } });

  const tenantId = await makeTenant(service);
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const away = await advice(tenantId);
  t.match(away, { status: 503, body: { code: 'upstream_unavailable' } });
  control.clearFaults();
  await new Promise((resolve) => setTimeout(resolve, 200));
});

t.test('advice says what each strategy would make', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const answer = await ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`);
  t.equal(answer.status, 200);
  const { body } = answer;
  const rows = control.rows().filter(({ deleted, location }) => !deleted && location.trim() !== '');
  const numbers = new Set(rows.map(({ location }) => location.trim()));
  t.ok(body.licenses > 0 && body.licenses <= numbers.size);
  const [license, vendor] = body.strategies;
  t.match([license.strategy, vendor.strategy], ['one_per_license', 'one_per_vendor']);
  t.equal(license.companies, body.licenses, 'a company for each license');
  t.equal(vendor.companies, body.vendors + body.licenses_without_vendor, 'or one for each vendor');
  t.equal(license.companies_with_several_licenses, 0);
  t.equal(vendor.companies_with_several_licenses, body.vendors_with_several_licenses);
  t.equal(body.most_licenses_of_a_vendor, 17, 'the chain');
  t.ok(license.companies_sharing_a_name > 0, 'some share a name');
  t.equal(
    license.namesakes.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
    license.companies_sharing_a_name,
  );
  t.strictSame((await ask('GET', `${pathOf(tenantId)}/companies`)).body.data, [], 'and nothing is written');
  await sql(`update credentials set sealed_password = '\\x00' where tenant_id = $1`, [tenantId]);
  t.match(await ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`), {
    status: 409,
    body: { code: 'credential_unreadable' },
  });
});

t.test('a preview says in words which companies would mean another vendor', async (t) => {
  const [ubi, buyer] = ['880000001', '880000002'];
  const numbers = ['88100001', '88100002', '88100003'] as const;
  for (const [index, location] of numbers.entries()) {
    simulator.control.addSite({ ubi: index === 2 ? buyer : ubi, location, name: `SITE ${index}` });
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const ofSales = ({ body }: TestResponse): Body[] =>
    body.warnings.filter(({ code }: Body) => code === 'company_means_another_vendor');
  t.same(ofSales(await preview(tenantId, { strategy: 'one_per_license' })), [], 'nothing was sold');
  simulator.control.sell({ location: numbers[0], toUbi: buyer });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(ofSales(await preview(tenantId, { strategy: 'one_per_license' })), [
    { license_number: numbers[0], detail: /the license was sold/ },
  ]);

  const [last, whole] = ['88100009', '880000009'] as const;
  control.addSite({ ubi: whole, location: last, name: 'ALL THAT IT HAS' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const seller = await holderOf(tenantId, last);
  t.equal((await edit(tenantId, seller.id, { leaflink_customer_id: '77' })).status, 200);
  control.sell({ location: last, toUbi: buyer });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match((await ask('GET', `${pathOf(tenantId)}/companies/${seller.id}`)).body, { archived: true, ubi: whole });
  t.match(
    ofSales(await preview(tenantId, { strategy: 'one_per_license' })).map(({ license_number }) => license_number),
    [numbers[0], last].sort(),
    'also of one that is archived now, and would come back as another vendor’s site',
  );
});

t.test('a preview names the companies that LeafLink could not tell apart', async (t) => {
  const [ubi, namesake] = ['880000003', '880000004'];
  const sites = { '88200001': ubi, '88200002': ubi, '88200003': namesake };
  for (const [location, owner] of Object.entries(sites)) {
    control.addSite({ ubi: owner, location, name: 'ONE OF THREE' });
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { body: advice } = await ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`);
  for (const { strategy, namesakes, companies_sharing_a_name: count } of advice.strategies) {
    const { body: run } = await preview(tenantId, { strategy });
    t.match(run.warnings[0], { code: 'companies_share_a_name', license_number: null, detail: /LeafLink/ }, strategy);
    const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
    const ambiguous = items.filter(({ action }) => action === 'ambiguous');
    t.match(ambiguous[0], { kind: null, reason: 'same_name', company_id: null, before: null });
    const told = ambiguous.map(({ after }) => after);
    t.strictSame(told.slice(0, namesakes.length), namesakes, 'as the advice says it');
    t.equal(
      told.reduce((sum, group) => sum + group.count, 0),
      count,
    );
    const group = told.find(({ name }) => name === 'ONE OF THREE');
    t.equal(group.count, strategy === 'one_per_license' ? 3 : 2, 'those that would be there');
  }
  const renamed = await holderOf(tenantId, '88200003');
  await edit(tenantId, renamed.id, { name: 'Another one' });
  const { body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
  t.notOk(
    items.some(({ action, after }) => action === 'ambiguous' && after.name === 'ONE OF THREE'),
    'a name that a person gave counts',
  );
  await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id });
  const made = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=100`);
  const isAmbiguous = ({ action }: Body): boolean => action === 'ambiguous';
  t.strictSame(made.filter(isAmbiguous), items.filter(isAmbiguous), 'and it can be read after the switch as well');
});

t.test('a switch is previewed, made, and taken back', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const before = await readCompanies(tenantId);
  const edited = await edit(tenantId, before[0].id, { name: 'Our own word for it', custom_data: { a: [1, 'x'] } });
  t.match(edited, { status: 200, body: { name: 'Our own word for it', overrides: ['name', 'custom_data'] } });
  t.equal(edited.body.source_name, before[0].name, 'what BioTrack says stays to be seen');
  const start = await readCompanies(tenantId);
  t.match(await choose(tenantId, { strategy: 'one_per_vendor' }), { status: 409, body: { code: 'preview_required' } });

  const { status, body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  t.match({ status, run }, { status: 200, run: { mode: 'preview', status: 'succeeded', strategy: 'one_per_vendor' } });
  t.strictSame(await readCompanies(tenantId), start, 'a preview changes nothing');
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=37`);
  const count = (action: string, kind: string): number =>
    items.filter((item) => item.action === action && (item.kind ?? '').startsWith(kind)).length;
  t.equal(count('archived', 'company'), run.counts.archived, 'an item for each company that is merged');
  t.equal(count('moved', 'license'), run.counts.moved, 'and for each license that moves');
  t.equal(count('unchanged', ''), run.counts.unchanged, 'and for each that stays as it is');
  t.ok(
    items.every(({ reason }) => typeof reason === 'string' && reason !== ''),
    'each with its reason',
  );
  t.ok(items.some((item) => item.reason === 'merged' && item.after.superseded_by !== null));
  t.ok(items.some((item) => item.action === 'skipped'));

  t.match(
    await choose(tenantId, { strategy: 'one_per_license', preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'the preview of another choice',
  );
  t.match(
    await choose(tenantId, { strategy: 'one_per_vendor', include_labs: true, preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'or of other labs',
  );
  await edit(tenantId, start[1].id, { legal_business_name: 'Between' });
  t.match(
    await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'an edit came between',
  );
  const present = await readCompanies(tenantId);
  const again = await preview(tenantId, { strategy: 'one_per_vendor' });
  const chosen = await choose(tenantId, { strategy: 'one_per_vendor', preview_id: again.body.id });
  t.match(chosen, { status: 200, body: { strategy: 'one_per_vendor' } });
  t.match(await choose(tenantId, { strategy: 'one_per_vendor', preview_id: again.body.id }), {
    status: 409,
    body: { code: 'preview_stale' },
  });
  const applied = (await ask('GET', `${pathOf(tenantId)}/syncs/${again.body.id}`)).body;
  t.type(applied.applied_datetime, 'string');
  const grouped = await readCompanies(tenantId);
  t.equal(grouped.length, present.length - again.body.counts.archived + again.body.counts.created);
  const planned = (await readAll(`${pathOf(tenantId)}/syncs/${again.body.id}/plan?page[size]=500`)).flatMap((item) =>
    item.kind === 'company.archived' ? item.company_id : [],
  );
  const archived = (await readCompanies(tenantId, '&archived=only')).map(({ id }) => id);
  t.strictSame(planned.sort(), archived.sort(), 'exactly what was shown');
  t.match(await syncTenant(service, tenantId), { counts: { created: 0, updated: 0, archived: 0, moved: 0 } });

  await switchTo(tenantId, 'one_per_license');
  const back = await readCompanies(tenantId);
  const essence = (companies: Body[]): unknown =>
    companies
      .map(({ id, name, display_name, legal_business_name, custom_data, licenses }) => ({
        id,
        name,
        display_name,
        legal_business_name,
        custom_data,
        licenses: licenses.map(({ id, license_number }: Body) => ({ id, license_number })),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  t.strictSame(essence(back), essence(present), 'switching back gives back every id, license and edit');
  t.match(await ask('GET', `${pathOf(tenantId)}/syncs/${again.body.id}/plan?page[after]=x`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  });
});

t.test('a preview is stale once the directory moved', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const { body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  const { location } = control.rows({ ubi: demo.ubi })[0] as { location: string };
  control.rename({ location, name: `A NAME OF ${newId()}` });
  const other = await makeTenant(service);
  await syncTenant(service, other, { refresh: 'force' });
  const before = await readCompanies(tenantId);
  t.match(await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id }), {
    status: 409,
    body: { code: 'preview_stale' },
  });
  t.strictSame(await readCompanies(tenantId), before);

  const { body: next } = await preview(tenantId, { strategy: 'one_per_vendor' });
  t.match(await syncTenant(service, tenantId), { status: /^succeeded/, counts: { updated: Number } });
  t.match(
    await choose(tenantId, { strategy: 'one_per_vendor', preview_id: next.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'another run came between',
  );
});

t.test('a switch that fails half-way leaves everything as it was', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const { body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  const before = [await readCompanies(tenantId, '&archived=include'), await preference(tenantId)];
  await sql(
    `create function fail_late() returns trigger language plpgsql as $$ begin raise exception 'half-way'; end $$`,
  );
  await sql('create trigger fail_late before insert on changes for each statement execute function fail_late()');
  const { etag } = await preference(tenantId);
  const failed = await ask('PUT', `${pathOf(tenantId)}/company-creation-preference`, {
    body: { strategy: 'one_per_vendor', preview_id: run.id },
    headers: { 'if-match': etag },
    expectsInternal: true,
  });
  t.equal(failed.status, 500);
  await sql('drop function fail_late cascade');
  t.strictSame([await readCompanies(tenantId, '&archived=include'), await preference(tenantId)], before);
  t.equal((await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id })).status, 200, 'the same preview');
});

t.test('a license that a person names is told to be moved by hand', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const location = '88310001';
  control.addSite({ ubi: '880000011', location, name: 'TO VANISH' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, {
    body: { name: 'By hand', license_numbers: [location] },
  });
  t.equal(made.status, 201);
  const lines = await readAll(`${pathOf(tenantId)}/changes?page[size]=500`);
  t.match(lines.at(-1), { kind: 'license.moved', company_id: made.body.id, reason: 'named_by_hand' });
});

t.test('the plan of a sync: previewed, and as it was applied', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const started = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { mode: 'preview' } });
  const previewed = await waitForRun(service, tenantId, started.body.id);
  t.match(previewed, { mode: 'preview', status: 'succeeded', applied_datetime: null });
  t.strictSame(await readCompanies(tenantId), [], 'nothing is written');
  const run = await syncTenant(service, tenantId);
  t.strictSame(run.counts, previewed.counts, 'the sync does what the preview said');
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
});

t.test('guards: many removals wait for a person', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const other = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  // Each refresh stays below the directory's own guard; together they are above the tenant's.
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
  t.equal(items.filter(({ reason }) => reason === 'no_longer_listed').length, 20);
  await edit(tenantId, before[0].id, { relationship_type: 'customer' });
  t.match(await ask('POST', `${path}/confirm`), { status: 409, body: { code: 'plan_stale' } }, 'an edit came between');
  const second = await syncTenant(service, tenantId);
  t.equal(second.status, 'needs_review');
  t.equal((await ask('GET', path)).body.status, 'superseded', 'a newer run takes its place');
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
    'the same directory asks no more',
  );
  t.strictSame(quiet.rows, second.rows, 'and the rows are those of the list, though nothing was taken from it');
  await vanish(20, 21);
  const third = await syncTenant(service, tenantId);
  t.equal(third.status, 'needs_review', 'but when it moves it does');
  const confirmed = await ask('POST', `${pathOf(tenantId)}/syncs/${third.id}/confirm`);
  t.match(confirmed, { status: 200, body: { status: /^succeeded/, counts: third.counts } });
  t.not(confirmed.body.finished_datetime, third.finished_datetime, 'it ends when it is carried out');
  const done = await readAll(`${pathOf(tenantId)}/syncs/${third.id}/plan?page[size]=500`);
  t.equal(done.filter(({ reason }) => reason === 'no_longer_listed').length, 21, 'and tells what it did');
  const left = await readCompanies(tenantId);
  t.equal(left.length, before.length - 21, 'the plan is carried out');
  t.match(await syncTenant(service, tenantId), { status: /^succeeded/, counts: { archived: 0, updated: 0 } });
  for (const location of victims.slice(0, 21)) control.restore({ location });
});

t.test('guards: a list that shrank is not published before an operator accepts it', async (t) => {
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
  t.equal(alone.simulator.control.counters().listCalls, calls, 'the state is not asked again for a while');
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
    { step: 'first_sync', status: 'blocked', who: 'operator', blockers: [/waits for a decision.*An operator has to/] },
    'the checklist sends nobody where he may not go',
  );
  t.equal(next.operation_id, 'createLicense', 'and an admin has another step to take meanwhile');
  // As if the process had ended right after the list was accepted.
  await alone.sql('update directories set accepted_digest = refused_digest, refused_datetime = null');
  const accepted = await alone.ask('POST', `${path}/confirm`);
  t.match(accepted, { status: 200, body: { status: 'queued', refresh: 'force' } });
  const run = await waitForRun(alone, tenantId, accepted.body.id);
  t.match(
    run,
    { status: 'needs_review', reason: null },
    "the list is believed; now it is the tenant's guard that asks",
  );
  t.match(await alone.ask('POST', `${pathOf(tenantId)}/syncs/${run.id}/confirm`), {
    status: 200,
    body: { status: 'succeeded' },
  });
  t.match(await alone.ask('POST', `${path}/confirm`), { status: 409 });
});

t.test('edits win, and say what they hide', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const { location } = control.rows({ ubi: demo.ubi })[1] as { location: string };
  const company = await holderOf(tenantId, location);
  const path = `${pathOf(tenantId)}/companies/${company.id}`;
  t.match(await ask('PATCH', path, { body: { name: 'x' } }), { status: 428 });
  t.match(await ask('PATCH', path, { body: { name: 'x' }, headers: { 'if-match': '"9999"' } }), { status: 412 });
  for (const body of [{}, { name: '' }, { name: ' ' }, { display_name: 'x' }, { custom_data: [] }, { name: 7 }]) {
    t.match(await ask('PATCH', path, { body, headers: { 'if-match': '"1"' } }), { status: 400 }, JSON.stringify(body));
  }
  for (const custom of ['{"a":"\\u0000"}', '{"a":["\\ud800"]}', '{"a":1e999}']) {
    const { headers } = await ask('GET', path);
    const rawBody = `{"custom_data":${custom}}`;
    t.match(
      await ask('PATCH', path, { rawBody, headers: { 'if-match': headers.get('etag') as string } }),
      { status: 400, body: { errors: [{ pointer: '/custom_data' }] } },
      custom,
    );
  }
  const edits = {
    name: 'Edited',
    legal_business_name: 'Edited LLC',
    relationship_type: 'customer',
    leaflink_customer_id: '77',
    custom_data: { tier: 1, tags: ['a'] },
  };
  t.match(await edit(tenantId, company.id, edits), {
    status: 200,
    body: { ...edits, display_name: 'Edited', overrides: Object.keys(edits) },
  });
  control.rename({ location, name: 'THE STATE SAYS SO' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
  t.ok(
    items.some(
      ({ company_id, after }) => company_id === company.id && after?.source_name === 'THE STATE SAYS SO' && !after.name,
    ),
    'the run says what it would have written',
  );
  t.match((await ask('GET', path)).body, { ...edits, source_name: 'THE STATE SAYS SO' });
  await switchTo(tenantId, 'one_per_vendor');
  t.match((await ask('GET', path)).body, edits, 'across a switch');
  await switchTo(tenantId, 'one_per_license');
  control.vanish({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match((await ask('GET', path)).body, { ...edits, archived: true }, 'archived');
  control.restore({ location });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match((await ask('GET', path)).body, { ...edits, archived: false }, 'and returned');
  const cleared = await edit(tenantId, company.id, { name: null, custom_data: null });
  t.match(cleared.body, { name: 'THE STATE SAYS SO', custom_data: null });
  t.strictSame(cleared.body.overrides, ['legal_business_name', 'relationship_type', 'leaflink_customer_id']);
});

t.test('companies made by hand, conflicts and decisions', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `${pathOf(tenantId)}/companies`;
  await syncTenant(service, tenantId);
  const first = control.rows({ ubi: demo.ubi })[0] as { location: string };
  const vendor = await holderOf(tenantId, first.location);
  t.match(await ask('POST', path, { body: { name: 'By hand', license_numbers: [first.location] } }), {
    status: 409,
    body: { code: 'license_taken', conflicting_id: vendor.id, errors: [{ pointer: '/license_numbers/0' }] },
  });
  t.match(await ask('POST', path, { body: { name: 'By hand', license_numbers: ['X 1', ' X  1 '] } }), {
    status: 400,
    body: { errors: [{ pointer: '/license_numbers/1' }] },
  });
  const number = '990000001';
  const made = await ask('POST', path, { body: { name: 'By hand', license_numbers: [number] } });
  t.match(made, {
    status: 201,
    body: {
      origin: 'manual',
      name: 'By hand',
      source_name: null,
      licenses: [{ license_number: number, active: false }],
    },
  });
  const manual = made.body.id;
  t.equal(made.headers.get('location'), `${path}/${manual}`);
  t.match(await ask('POST', path, { body: { name: 'Another', license_numbers: [number] } }), { status: 409 });
  t.match(await edit(tenantId, manual, { name: null }), { status: 400, body: { errors: [{ pointer: '/name' }] } });

  control.addSite({ ubi: demo.ubi, location: number, name: 'A NEW SITE' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(run, { status: 'succeeded_with_warnings', counts: { conflicts: 1 } });
  t.equal((await holderOf(tenantId, number)).id, manual, 'adopted by its number, and kept apart');
  const { body: list } = await ask('GET', `${pathOf(tenantId)}/conflicts?status=open`);
  t.match(list.data, [{ ubi: demo.ubi, status: 'open', decision: null, run_id: run.id }]);
  t.strictSame([...list.data[0].company_ids].sort(), [vendor.id, manual].sort());
  const conflict = `${pathOf(tenantId)}/conflicts/${list.data[0].id}/resolve`;
  t.match(await ask('POST', conflict, { body: { decision: 'merge' } }), { status: 400 });
  t.match(await ask('POST', conflict, { body: { decision: 'keep_apart', company_id: manual } }), { status: 400 });
  t.match(await ask('POST', conflict, { body: { decision: 'merge', company_id: newId() } }), {
    status: 422,
    body: { code: 'company_unknown', errors: [{ pointer: '/company_id' }] },
  });
  t.match(await ask('POST', `${pathOf(tenantId)}/conflicts/${newId()}/resolve`, { body: { decision: 'keep_apart' } }), {
    status: 404,
  });
  t.match(await ask('GET', `${pathOf(tenantId)}/conflicts?page[after]=x`), { status: 400 });

  t.match(await ask('POST', conflict, { body: { decision: 'keep_apart' } }), {
    status: 200,
    body: { status: 'resolved', decision: 'keep_apart', decided_company_id: null },
  });
  t.match(await syncTenant(service, tenantId), { status: 'succeeded', counts: { conflicts: 0 } }, 'remembered');
  t.equal((await holderOf(tenantId, number)).id, manual);

  t.match(await ask('POST', conflict, { body: { decision: 'merge', company_id: manual } }), {
    status: 200,
    body: { status: 'resolved', decision: 'merge', decided_company_id: manual },
  });
  t.equal((await holderOf(tenantId, first.location)).id, manual, 'at once: all licenses of the UBI are with it');
  t.match((await ask('GET', `${path}/${vendor.id}`)).body, { archived: true, superseded_by: manual });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { moved: 0, conflicts: 0 } });
  const explained = (await ask('GET', `${path}/${manual}/explain`)).body;
  t.match(explained, { origin: 'manual', strategy: 'one_per_vendor' });
  t.ok(explained.licenses.every(({ rule }: Body) => rule === 'decided_by_person'));

  t.match(await ask('POST', conflict, { body: { decision: 'merge', company_id: vendor.id } }), { status: 200 });
  t.equal((await holderOf(tenantId, number)).id, vendor.id, 'decided anew: also what was named by hand');
  await switchTo(tenantId, 'one_per_license');
  t.equal((await holderOf(tenantId, number)).id, manual, 'under the other strategy it is where it was named for');
  t.match(await ask('POST', conflict, { body: { decision: 'keep_apart' } }), { status: 200 });
  await switchTo(tenantId, 'one_per_vendor');
  t.equal((await holderOf(tenantId, number)).id, manual);
  t.equal((await holderOf(tenantId, first.location)).id, vendor.id, 'and nothing was forgotten');

  // A second company by hand makes the question a new one; once its license is sold there is none.
  const second = '990000002';
  const right = (await ask('POST', path, { body: { name: 'Another by hand', license_numbers: [second] } })).body.id;
  control.addSite({ ubi: demo.ubi, location: second, name: 'ANOTHER SITE' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 1 } }, 'asked anew');
  control.sell({ location: number, toUbi: '007331902' });
  control.sell({ location: second, toUbi: '007331902' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { body: left } = await ask('GET', `${pathOf(tenantId)}/conflicts?status=resolved`);
  t.match(left.data, [{ status: 'resolved', decision: 'keep_apart' }], 'the decision before it is in force');
  t.equal((await holderOf(tenantId, second)).id, right);
  control.sell({ location: number, toUbi: demo.ubi });
  control.sell({ location: second, toUbi: demo.ubi });
  // Where nobody decided there is nothing left of the question.
  const other = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, other);
  const third = '990000003';
  await ask('POST', `${pathOf(other)}/companies`, { body: { name: 'By hand again', license_numbers: [third] } });
  control.addSite({ ubi: demo.ubi, location: third, name: 'A THIRD SITE' });
  t.match(await syncTenant(service, other, { refresh: 'force' }), { counts: { conflicts: 1 } });
  control.sell({ location: third, toUbi: '007331902' });
  await syncTenant(service, other, { refresh: 'force' });
  const [gone] = (await ask('GET', `${pathOf(other)}/conflicts?status=gone`)).body.data;
  t.match(await ask('POST', `${pathOf(other)}/conflicts/${gone?.id}/resolve`, { body: { decision: 'keep_apart' } }), {
    status: 409,
    body: { code: 'conflict_decided' },
  });
});

t.test('a company made by hand comes to stand for the vendor of its license', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const [ubi, named, other] = ['880000005', '88300001', '88300002'];
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, {
    body: { name: 'By hand, and first', license_numbers: [named] },
  });
  for (const location of [named, other]) control.addSite({ ubi, location, name: 'BY THE STATE' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const own = await holderOf(tenantId, other);
  t.not(own.id, made.body.id);
  const run = await switchTo(tenantId, 'one_per_vendor');
  t.equal(run.counts.adopted, 1);
  t.equal((await holderOf(tenantId, other)).id, made.body.id, 'the whole vendor is with it now');
  const explained = (await ask('GET', `${pathOf(tenantId)}/companies/${made.body.id}/explain`)).body;
  t.match(explained, { origin: 'manual', own_company_of: null, stands_for_ubi: ubi });
  t.match(
    explained.vendor_candidates.find(({ license_number }: Body) => license_number === other),
    { company_id: own.id, verdict: 'named_by_hand_wins' },
  );
  await switchTo(tenantId, 'one_per_license');
  t.equal((await holderOf(tenantId, other)).id, own.id, 'and comes back');
  t.equal((await holderOf(tenantId, named)).id, made.body.id);
});

t.test('a license that vanished is still held by its active company', async (t) => {
  const ubi = '990000100';
  const [kept, gone] = ['990000101', '990000102'];
  for (const location of [kept, gone]) control.addSite({ ubi, location, name: 'TWO SITES' });
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.vanish({ location: gone });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { id } = await holderOf(tenantId, kept);
  const body = { name: 'By hand', license_numbers: [gone] };
  t.match(await ask('POST', `${pathOf(tenantId)}/companies`, { body }), {
    status: 409,
    body: { code: 'license_taken', conflicting_id: id },
  });
  control.vanish({ location: kept });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, { body });
  t.match(made, { status: 201 }, 'an archived company holds nothing back');
});

t.test('a company that stands for one UBI cannot be chosen for another', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `${pathOf(tenantId)}/companies`;
  const numbers = ['990000011', '990000012', '990000013'];
  const manual = (await ask('POST', path, { body: { name: 'Both', license_numbers: numbers.slice(0, 2) } })).body.id;
  control.addSite({ ubi: '880000001', location: numbers[0] as string, name: 'ONE' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await ask('GET', `${path}/${manual}/explain`)).body.stands_for_ubi, '880000001', 'adopted');
  control.addSite({ ubi: '880000002', location: numbers[1] as string, name: 'TWO' });
  control.addSite({ ubi: '880000002', location: numbers[2] as string, name: 'THREE' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 1 } });
  const [conflict] = (await ask('GET', `${pathOf(tenantId)}/conflicts?status=open`)).body.data;
  t.match(
    await ask('POST', `${pathOf(tenantId)}/conflicts/${conflict.id}/resolve`, {
      body: { decision: 'merge', company_id: manual },
    }),
    { status: 422, body: { code: 'company_unknown' } },
  );
});

t.test('explanation and history', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const [sold, kept] = control.rows({ ubi: demo.ubi }).filter(({ deleted }) => !deleted) as { location: string }[];
  const seller = await holderOf(tenantId, sold?.location ?? '');
  const path = `${pathOf(tenantId)}/companies/${seller.id}`;
  const explained = (await ask('GET', `${path}/explain`)).body;
  t.match(explained, { id: seller.id, stands_for_ubi: demo.ubi, created: { reason: 'first_seen', run_id: run.id } });
  t.equal(explained.vendor_candidates.filter(({ verdict }: Body) => verdict === 'chosen').length, 1);
  t.match(
    explained.licenses.find(({ license_number }: Body) => license_number === kept?.location),
    { rule: 'vendor_company', ubi_key: demo.ubi, active: true, decided: { run_id: run.id } },
  );
  await edit(tenantId, seller.id, { name: 'As we call it' });
  control.sell({ location: sold?.location ?? '', toUbi: '007331902' });
  const second = await syncTenant(service, tenantId, { refresh: 'force' });
  const buyer = await holderOf(tenantId, sold?.location ?? '');
  const history = (await ask('GET', `${path}/history`)).body;
  t.match(history.names, [{ name: seller.name }, { name: 'As we call it', run_id: null, until_datetime: null }]);
  t.match(
    history.licenses.find(({ license_number }: Body) => license_number === sold?.location),
    { since_reason: 'first_seen', until_reason: 'sold', to_company_id: buyer.id },
  );
  t.match(
    history.owners.filter(({ license_number }: Body) => license_number === sold?.location),
    [{ ubi: demo.ubi }, { ubi: '007331902', until_datetime: null }],
    'who held it, and who does',
  );
  const bought = (await ask('GET', `${pathOf(tenantId)}/companies/${buyer.id}/history`)).body;
  t.match(
    bought.licenses.find(({ license_number }: Body) => license_number === sold?.location),
    { since_reason: 'sold', from_company_id: seller.id, until_datetime: null },
  );
  const [row] = await sql<{ kind: string }>(
    `select kind from changes where tenant_id = $1 and from_company_id = $2 and run_id = $3`,
    [tenantId, seller.id, second.id],
  );
  t.equal(row?.kind, 'license.transferred');
  control.sell({ location: sold?.location ?? '', toUbi: demo.ubi });
  t.match(await ask('GET', `${pathOf(tenantId)}/companies/${newId()}/explain`), { status: 404 });
  t.match(await ask('GET', `${pathOf(tenantId)}/companies/${newId()}/history`), { status: 404 });
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['heart.test.ts'], isOwnOutcome), []);
});
