import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** The strategy of a tenant: advice, previews and switches. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, contract, simulator, newId, sql } = service;
const { control, demo } = simulator;
const { readAll, readCompanies, holderOf, preference, preview, choose, switchTo, edit } = createTenantClient(service);

type Body = TestResponse['body'];

const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});

// Runs first, before any sync mirrors the state's list.
t.test('choosing a preference before the first sync', async (t) => {
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
    reason_message: { text: /Ask an operator to configure it/ },
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
    'an unknown preview',
  );
  t.match(await preview(bare, { strategy: 'one_per_vendor' }), { status: 409, body: { code: 'not_synced' } });

  const tenantId = await makeTenant(service);
  control.injectFault({ fault: 'server_error', action: 'sync_vendor', times: 0 });
  const unavailable = await advice(tenantId);
  t.match(unavailable, { status: 503, body: { code: 'upstream_unavailable' } });
  control.clearFaults();
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 7_000, times: 1 });
  t.match(await advice(tenantId), { status: 503, body: { code: 'list_loading' } });
});

t.test('getCompanyCreationPreference and putCompanyCreationPreference', async (t) => {
  const bare = await makeTenant(service, 'tenant');
  t.match(
    await ask('PUT', `/v1/tenants/${bare}/company-creation-preference`, {
      body: { strategy: 'one_per_license' },
      headers: FIRST_PUT,
    }),
    {
      status: 409,
      body: {
        code: 'setup_incomplete',
        next_step: { step: 'ubi', operation_id: 'putUbi', method: 'PUT', path: `/v1/tenants/${bare}/ubi` },
      },
    },
    'requires the UBI',
  );

  const tenantId = await makeTenant(service, 'ubi');
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  t.match(await ask('GET', path), { status: 404, body: { code: 'not_found' } }, 'there is no default');
  for (const body of [
    {},
    { strategy: null },
    { strategy: 'both' },
    { strategy: 'one_per_license', include_labs: 'true' },
  ]) {
    t.match(await ask('PUT', path, { body, headers: FIRST_PUT }), { status: 400 }, JSON.stringify(body));
  }
  t.match(await ask('PUT', path, { body: { strategy: 'one_per_license' } }), {
    status: 428,
    body: { code: 'precondition_required' },
  });
  const chosen = await ask('PUT', path, { body: { strategy: 'one_per_license' }, headers: FIRST_PUT });
  t.match(chosen, { status: 201, body: { strategy: 'one_per_license', include_labs: false } });
  t.match(await ask('GET', path), { status: 200, body: chosen.body });
  t.match(await ask('PUT', path, { body: { strategy: 'one_per_vendor' }, headers: FIRST_PUT }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  const body = { strategy: 'one_per_vendor', include_labs: true };
  t.match(
    await ask('PUT', path, { body, headers: await etagOf(path) }),
    { status: 200, body },
    'can change freely before the first sync',
  );
});

t.test('putCompanyCreationPreference requires a preview after the first sync', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  const put = async (body: Record<string, unknown>) => ask('PUT', path, { body, headers: await etagOf(path) });
  t.match(await put({ strategy: 'one_per_vendor' }), { status: 409, body: { code: 'preview_required' } });
  t.match(await put({ strategy: 'one_per_license' }), { status: 200 }, 'the same preference is no switch');
  t.match(
    await put({ strategy: 'one_per_license', include_labs: true }),
    { status: 200 },
    'laboratories only add companies',
  );
  t.match(
    await put({ strategy: 'one_per_license', include_labs: false }),
    { status: 409, body: { code: 'preview_required' } },
    'removing laboratories archives companies',
  );
  t.match(await ask('GET', path), { body: { strategy: 'one_per_license', include_labs: true } });
});

t.test('the advice reports what each strategy would create', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  const answer = await ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`);
  t.equal(answer.status, 200);
  const { body } = answer;
  const rows = control.rows().filter(({ deleted, location }) => !deleted && location.trim() !== '');
  const numbers = new Set(rows.map(({ location }) => location.trim()));
  t.ok(body.licenses > 0 && body.licenses <= numbers.size);
  const [license, vendor] = body.strategies;
  t.match([license.strategy, vendor.strategy], ['one_per_license', 'one_per_vendor']);
  t.equal(license.companies, body.licenses, 'one company per license');
  t.equal(vendor.companies, body.vendors + body.licenses_without_vendor, 'one company per vendor');
  t.equal(license.companies_with_several_licenses, 0);
  t.equal(vendor.companies_with_several_licenses, body.vendors_with_several_licenses);
  t.equal(body.most_licenses_of_a_vendor, 17, 'the largest vendor of the simulator');
  t.ok(license.companies_sharing_a_name > 0, 'some companies share a name');
  t.equal(
    license.namesakes.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
    license.companies_sharing_a_name,
  );
  t.strictSame((await ask('GET', `${pathOf(tenantId)}/companies`)).body.data, [], 'nothing is written');
  await sql(`update credentials set sealed_password = '\\x00' where tenant_id = $1`, [tenantId]);
  t.match(await ask('GET', `${pathOf(tenantId)}/company-creation-preference/advice`), {
    status: 409,
    body: { code: 'credential_unreadable' },
  });
});

t.test('a preview warns about companies that would represent another vendor', async (t) => {
  const [ubi, buyer] = ['880000001', '880000002'];
  const numbers = ['88100001', '88100002', '88100003'] as const;
  for (const [index, location] of numbers.entries()) {
    simulator.control.addSite({ ubi: index === 2 ? buyer : ubi, location, name: `SITE ${index}` });
  }
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const ofSales = ({ body }: TestResponse): Body[] =>
    body.warnings.filter(({ code }: Body) => code === 'company_represents_another_vendor');
  t.same(ofSales(await preview(tenantId, { strategy: 'one_per_license' })), [], 'nothing was sold');
  simulator.control.sell({ location: numbers[0], toUbi: buyer });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.match(ofSales(await preview(tenantId, { strategy: 'one_per_license' })), [
    { params: { license_number: numbers[0] }, text: /^The license \S+ was sold/ },
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
    ofSales(await preview(tenantId, { strategy: 'one_per_license' })).map(({ params }) => params.license_number),
    [numbers[0], last].sort(),
    'also about an archived company that would be reactivated for a site of another vendor',
  );
});

t.test('a preview lists companies that LeafLink could not distinguish', async (t) => {
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
    t.match(run.warnings[0], { code: 'companies_share_a_name', params: {}, text: /LeafLink/ }, strategy);
    const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
    const ambiguous = items.filter(({ action }) => action === 'ambiguous');
    t.match(ambiguous[0], { kind: null, reason: 'same_name', company_id: null, before: null });
    const groups = ambiguous.map(({ after }) => after);
    t.strictSame(groups.slice(0, namesakes.length), namesakes, 'the same as in the advice');
    t.equal(
      groups.reduce((sum, group) => sum + group.count, 0),
      count,
    );
    const group = groups.find(({ name }) => name === 'ONE OF THREE');
    t.equal(group.count, strategy === 'one_per_license' ? 3 : 2, 'the companies after the switch');
  }
  const renamed = await holderOf(tenantId, '88200003');
  await edit(tenantId, renamed.id, { name: 'Another one' });
  const { body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=500`);
  t.notOk(
    items.some(({ action, after }) => action === 'ambiguous' && after.name === 'ONE OF THREE'),
    'edited names count',
  );
  await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id });
  const made = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=100`);
  const isAmbiguous = ({ action }: Body): boolean => action === 'ambiguous';
  t.strictSame(made.filter(isAmbiguous), items.filter(isAmbiguous), 'the plan stays readable after the switch');
});

t.test('a switch can be previewed, applied and reversed', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const before = await readCompanies(tenantId);
  const edited = await edit(tenantId, before[0].id, { name: 'Our own word for it', custom_data: { a: [1, 'x'] } });
  t.match(edited, { status: 200, body: { name: 'Our own word for it', overrides: ['name', 'custom_data'] } });
  t.equal(edited.body.source_name, before[0].name, 'the source name stays visible');
  const start = await readCompanies(tenantId);
  t.match(await choose(tenantId, { strategy: 'one_per_vendor' }), { status: 409, body: { code: 'preview_required' } });

  const { status, body: run } = await preview(tenantId, { strategy: 'one_per_vendor' });
  t.match({ status, run }, { status: 200, run: { mode: 'preview', status: 'succeeded', strategy: 'one_per_vendor' } });
  t.strictSame(await readCompanies(tenantId), start, 'a preview changes nothing');
  const items = await readAll(`${pathOf(tenantId)}/syncs/${run.id}/plan?page[size]=37`);
  const count = (action: string, kind: string): number =>
    items.filter((item) => item.action === action && (item.kind ?? '').startsWith(kind)).length;
  t.equal(count('archived', 'company'), run.counts.archived, 'one item per merged company');
  t.equal(count('moved', 'license'), run.counts.moved, 'one item per moved license');
  t.equal(count('unchanged', ''), run.counts.unchanged, 'one item per unchanged object');
  t.ok(
    items.every(({ reason }) => typeof reason === 'string' && reason !== ''),
    'every item has a reason',
  );
  t.ok(items.some((item) => item.reason === 'merged' && item.after.superseded_by !== null));
  t.ok(items.some((item) => item.action === 'skipped'));

  t.match(
    await choose(tenantId, { strategy: 'one_per_license', preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'a preview of another strategy',
  );
  t.match(
    await choose(tenantId, { strategy: 'one_per_vendor', include_labs: true, preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'a preview with another include_labs',
  );
  await edit(tenantId, start[1].id, { legal_business_name: 'Between' });
  t.match(
    await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id }),
    { status: 409, body: { code: 'preview_stale' } },
    'an edit after the preview',
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
  t.strictSame(planned.sort(), archived.sort(), 'exactly the companies of the preview');
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
  t.strictSame(essence(back), essence(present), 'switching back restores every id, license and edit');
  t.match(await ask('GET', `${pathOf(tenantId)}/syncs/${again.body.id}/plan?page[after]=x`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  });
});

t.test('a preview is stale after the directory changed', async (t) => {
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
    'another run after the preview',
  );
});

t.test('a switch that fails halfway changes nothing', async (t) => {
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
  t.equal(
    (await choose(tenantId, { strategy: 'one_per_vendor', preview_id: run.id })).status,
    200,
    'the same preview still works',
  );
});

t.test('every documented answer of these operations was seen', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['creation-preference.test.ts'], isOwnOutcome), []);
});
