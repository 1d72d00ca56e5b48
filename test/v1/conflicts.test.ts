import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';
import { createTenantClient, pathOf } from '../helpers/tenant-client.js';

/** Conflicts of companies that claim one vendor, and decisions about them. */

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, contract, simulator, newId } = service;
const { control, demo } = simulator;
const { holderOf, switchTo, edit } = createTenantClient(service);

type Body = TestResponse['body'];

t.test('listConflicts and resolveConflict with manual companies', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `${pathOf(tenantId)}/companies`;
  await syncTenant(service, tenantId);
  const first = control.rows({ ubi: demo.ubi })[0] as { location: string };
  const vendor = await holderOf(tenantId, first.location);
  t.match(await ask('POST', path, { body: { name: 'Manual', license_numbers: [first.location] } }), {
    status: 409,
    body: { code: 'license_taken', conflicting_id: vendor.id, errors: [{ pointer: '/license_numbers/0' }] },
  });
  t.match(await ask('POST', path, { body: { name: 'Manual', license_numbers: ['X 1', ' X  1 '] } }), {
    status: 400,
    body: { errors: [{ pointer: '/license_numbers/1' }] },
  });
  const number = '990000001';
  const made = await ask('POST', path, { body: { name: 'Manual', license_numbers: [number] } });
  t.match(made, {
    status: 201,
    body: {
      origin: 'manual',
      name: 'Manual',
      source_name: null,
      licenses: [{ license_number: number, active: false }],
    },
  });
  const manual = made.body.id;
  t.equal(made.headers.get('location'), `${service.baseUrl}${path}/${manual}`);
  t.match(await ask('POST', path, { body: { name: 'Another', license_numbers: [number] } }), { status: 409 });
  t.match(await edit(tenantId, manual, { name: null }), { status: 400, body: { errors: [{ pointer: '/name' }] } });

  control.addSite({ ubi: demo.ubi, location: number, name: 'A NEW SITE' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const named = [{ code: 'open_conflicts', params: { count: 1 }, text: /GET …\/conflicts\?status=open/ }];
  t.match(run, { status: 'succeeded_with_warnings', counts: { conflicts: 1 }, warnings: named });
  t.match(
    await syncTenant(service, tenantId),
    { status: 'succeeded_with_warnings', counts: { conflicts: 1 }, warnings: named },
    'a later run that changes nothing names the conflict again',
  );
  t.equal(
    (await holderOf(tenantId, number)).id,
    manual,
    'the license joins the manual company, kept apart from the vendor company',
  );
  const { body: list } = await ask('GET', `${pathOf(tenantId)}/conflicts?status=open`);
  t.match(list.data, [{ ubi: demo.ubi, status: 'open', decision: null, run_id: run.id }]);
  t.strictSame([...list.data[0].company_ids].sort(), [vendor.id, manual].sort());
  const shown = async (id: string): Promise<Body> => {
    const { body } = await ask('GET', `${path}/${id}`);
    const numbers = body.licenses.map(({ license_number: each }: Body) => each).slice(0, 20);
    return { id, name: body.display_name, ubi: body.ubi, license_numbers: numbers };
  };
  const claimants = await Promise.all(list.data[0].company_ids.map(shown));
  t.strictSame(list.data[0].companies, claimants, 'with the names, UBIs and licenses of the companies');
  t.strictSame(claimants.find(({ id }) => id === manual)?.license_numbers, [number]);
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
    body: { status: 'resolved', decision: 'keep_apart', decided_company_id: null, decided_company_name: null },
  });
  t.match(
    await syncTenant(service, tenantId),
    { status: 'succeeded', counts: { conflicts: 0 }, warnings: [] },
    'remembered',
  );
  t.equal((await holderOf(tenantId, number)).id, manual);

  t.match(await ask('POST', conflict, { body: { decision: 'merge', company_id: manual } }), {
    status: 200,
    body: {
      status: 'resolved',
      decision: 'merge',
      decided_company_id: manual,
      decided_company_name: (await shown(manual)).name,
    },
  });
  t.equal((await holderOf(tenantId, first.location)).id, manual, 'all licenses of the UBI move at once');
  t.match((await ask('GET', `${path}/${vendor.id}`)).body, { archived: true, superseded_by: manual });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { moved: 0, conflicts: 0 } });
  const explained = (await ask('GET', `${path}/${manual}/explain`)).body;
  t.match(explained, { origin: 'manual', strategy: 'one_per_vendor' });
  t.ok(explained.licenses.every(({ rule }: Body) => rule === 'decided_by_user'));

  t.match(await ask('POST', conflict, { body: { decision: 'merge', company_id: vendor.id } }), { status: 200 });
  t.equal((await holderOf(tenantId, number)).id, vendor.id, 'a changed decision also moves manually added licenses');
  t.match((await ask('GET', `${path}/${manual}`)).body, { archived: true, superseded_by: vendor.id });
  await switchTo(tenantId, 'one_per_license');
  t.equal((await holderOf(tenantId, number)).id, manual, 'with the other strategy it returns to its manual company');
  t.match((await ask('GET', `${path}/${manual}`)).body, { archived: false, superseded_by: null });
  t.match(await ask('POST', conflict, { body: { decision: 'keep_apart' } }), { status: 200 });
  await switchTo(tenantId, 'one_per_vendor');
  t.equal((await holderOf(tenantId, number)).id, manual);
  t.equal((await holderOf(tenantId, first.location)).id, vendor.id, 'the decision still applies after switching back');

  // A second manual company reopens the conflict; it is resolved again once the license is sold.
  const second = '990000002';
  const right = (await ask('POST', path, { body: { name: 'Second manual company', license_numbers: [second] } })).body
    .id;
  control.addSite({ ubi: demo.ubi, location: second, name: 'ANOTHER SITE' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 1 } }, 'reopened');
  control.sell({ location: number, toUbi: '007331902' });
  control.sell({ location: second, toUbi: '007331902' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { body: left } = await ask('GET', `${pathOf(tenantId)}/conflicts?status=resolved`);
  t.match(left.data, [{ status: 'resolved', decision: 'keep_apart' }], 'the earlier decision is in effect');
  t.equal((await holderOf(tenantId, second)).id, right);
  control.sell({ location: number, toUbi: demo.ubi });
  control.sell({ location: second, toUbi: demo.ubi });
  // A conflict without a decision is closed.
  const other = await makeTenant(service, 'credential', 'one_per_vendor');
  await syncTenant(service, other);
  const third = '990000003';
  await ask('POST', `${pathOf(other)}/companies`, {
    body: { name: 'Another manual company', license_numbers: [third] },
  });
  control.addSite({ ubi: demo.ubi, location: third, name: 'A THIRD SITE' });
  t.match(await syncTenant(service, other, { refresh: 'force' }), { counts: { conflicts: 1 } });
  control.sell({ location: third, toUbi: '007331902' });
  await syncTenant(service, other, { refresh: 'force' });
  const [closed] = (await ask('GET', `${pathOf(other)}/conflicts?status=closed`)).body.data;
  t.match(await ask('POST', `${pathOf(other)}/conflicts/${closed?.id}/resolve`, { body: { decision: 'keep_apart' } }), {
    status: 409,
    body: { code: 'conflict_closed' },
  });
});

t.test('a company that represents one UBI cannot be chosen for another', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const path = `${pathOf(tenantId)}/companies`;
  const numbers = ['990000011', '990000012', '990000013'];
  const manual = (await ask('POST', path, { body: { name: 'Both', license_numbers: numbers.slice(0, 2) } })).body.id;
  control.addSite({ ubi: '880000001', location: numbers[0] as string, name: 'ONE' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  t.equal((await ask('GET', `${path}/${manual}/explain`)).body.vendor_company_of, '880000001', 'adopted');
  control.addSite({ ubi: '880000002', location: numbers[1] as string, name: 'TWO' });
  control.addSite({ ubi: '880000002', location: numbers[2] as string, name: 'THREE' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 1 } });
  const [conflict] = (await ask('GET', `${pathOf(tenantId)}/conflicts?status=open`)).body.data;
  const { id: vendor } = await holderOf(tenantId, numbers[2] as string);
  t.strictSame(conflict.company_ids, [vendor], 'offers only what can be chosen');
  const resolve = (body: object) => ask('POST', `${pathOf(tenantId)}/conflicts/${conflict.id}/resolve`, { body });
  t.match(await resolve({ decision: 'merge', company_id: manual }), { status: 422, body: { code: 'company_unknown' } });
  t.match(await resolve({ decision: 'merge', company_id: vendor }), { status: 200, body: { company_ids: [vendor] } });
  t.equal((await holderOf(tenantId, numbers[1] as string)).id, vendor, 'the decision covers all companies');
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual, 'the other vendor keeps its company');
});

t.test('every documented response of these operations occurred', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['conflicts.test.ts'], isOwnOutcome), []);
});
