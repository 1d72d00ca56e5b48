import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { pickCount } from '../helpers/counts.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';

/** What persons decide while the state's list moves on: each word does what it says, and nothing else. */

type Body = TestResponse['body'];
type Strategy = 'one_per_license' | 'one_per_vendor';

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { ask, sql, simulator } = service;
const { control } = simulator;

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;

/** Another tenant of the same state: its syncs move the directory, and nothing of anybody else's. */
const neighbour = await makeTenant(service);
await syncTenant(service, neighbour);

const moveDirectory = (): Promise<Body> => syncTenant(service, neighbour, { refresh: 'force' });

async function begin(strategy: Strategy): Promise<string> {
  const tenantId = await makeTenant(service, 'credential', strategy);
  await syncTenant(service, tenantId, { refresh: 'force' });
  return tenantId;
}

/** The company that holds a license, also while it is inactive. */
async function holderOf(tenantId: string, number: string): Promise<Body> {
  const query = `license_number=${encodeURIComponent(number)}&archived=include&licenses=all`;
  return (await ask('GET', `${pathOf(tenantId)}/companies?${query}`)).body.data[0];
}

async function makeByHand(tenantId: string, name: string, ...numbers: string[]): Promise<string> {
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, { body: { name, license_numbers: numbers } });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return made.body.id;
}

let vendors = 0;

/** A vendor that nothing else happens to, with this many licenses, the oldest first. */
function addVendor(sites: number): { ubi: string; numbers: string[] } {
  vendors += 1;
  const ubi = `55${String(vendors).padStart(7, '0')}`;
  const numbers = Array.from({ length: sites }, (_, index) => newNumberOf(vendors, index));
  for (const [index, location] of numbers.entries()) control.addSite({ ubi, location, name: `V${vendors} #${index}` });
  return { ubi, numbers };
}

const newNumberOf = (vendor: number, index: number): string =>
  `66${String(vendor).padStart(4, '0')}${String(index).padStart(2, '0')}`;

/** Lets licenses vanish in the directory alone: few enough at a time for its own guard, too many for a tenant's. */
async function vanishBesides(numbers: readonly string[]): Promise<void> {
  for (let from = 0; from < numbers.length; from += 8) {
    for (const location of numbers.slice(from, from + 8)) control.vanish({ location });
    await moveDirectory();
  }
}

/** A tenant with a conflict: a vendor's company, and one made by hand with a license of the same UBI. */
async function beginConflict(
  sites: number,
): Promise<{ tenantId: string; numbers: string[]; byHand: string; ubi: string }> {
  const { ubi, numbers } = addVendor(sites);
  const tenantId = await begin('one_per_vendor');
  const byHand = newNumberOf(vendors, 90);
  await makeByHand(tenantId, `By hand ${vendors}`, byHand);
  control.addSite({ ubi, location: byHand, name: 'NAMED BY HAND' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  if (run.counts.conflicts !== 1) throw new Error(JSON.stringify(run));
  return { tenantId, numbers, byHand, ubi };
}

async function findConflict(tenantId: string): Promise<Body> {
  return (await ask('GET', `${pathOf(tenantId)}/conflicts`)).body.data[0];
}

async function resolve(tenantId: string, body: object): Promise<TestResponse> {
  const { id } = await findConflict(tenantId);
  return ask('POST', `${pathOf(tenantId)}/conflicts/${id}/resolve`, { body });
}

t.test('a decision takes nothing from the next sync', async (t) => {
  const { tenantId, numbers, byHand } = await beginConflict(1);
  const bystander = addVendor(1);
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.rename({ location: bystander.numbers[0] as string, name: 'RENAMED MEANWHILE' });
  const newcomer = addVendor(1);
  await moveDirectory();
  const { id: manual } = await holderOf(tenantId, byHand);
  t.equal((await resolve(tenantId, { decision: 'merge', company_id: manual })).status, 200);
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual, 'carried out at once');
  t.match(await holderOf(tenantId, bystander.numbers[0] as string), { name: /^V/ }, 'and nothing else is');
  const run = await syncTenant(service, tenantId);
  t.match(run.counts, { created: 1, updated: 1 }, 'what the list said meanwhile comes with the next sync');
  t.match(await holderOf(tenantId, bystander.numbers[0] as string), { name: 'RENAMED MEANWHILE' });
  t.ok(await holderOf(tenantId, newcomer.numbers[0] as string));
});

t.test('a decision takes nothing from the next sync that has to compare everything', async (t) => {
  const { tenantId } = await beginConflict(1);
  const etag = (await ask('GET', `${pathOf(tenantId)}/ubi`)).headers.get('etag') as string;
  const { ubi } = addVendor(1);
  await syncTenant(service, tenantId, { refresh: 'force' });
  const changed = await ask('PUT', `${pathOf(tenantId)}/ubi`, { body: { ubi }, headers: { 'if-match': etag } });
  t.equal(changed.status, 200);
  t.equal((await resolve(tenantId, { decision: 'keep_apart' })).status, 200);
  const [kept] = await sql<{ ubi_key: string }>('select ubi_key from sync_states where tenant_id = $1', [tenantId]);
  t.not(kept?.ubi_key, ubi, 'the flags of the new UBI are not there yet');
});

t.test('a decision stays in a person’s hands as long as it is in force', async (t) => {
  const { tenantId, numbers, byHand, ubi } = await beginConflict(1);
  t.equal((await resolve(tenantId, { decision: 'keep_apart' })).status, 200);
  const decided = (await findConflict(tenantId)).company_ids;
  const second = newNumberOf(vendors, 91);
  await makeByHand(tenantId, 'A second one by hand', second);
  control.addSite({ ubi, location: second, name: 'NAMED BY HAND AS WELL' });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 1 } }, 'asked anew');
  t.match(await findConflict(tenantId), { status: 'open', decision: 'keep_apart' });
  control.sell({ location: second, toUbi: addVendor(1).ubi });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 0 } });
  const conflict = await findConflict(tenantId);
  t.match(conflict, { status: 'resolved', decision: 'keep_apart' }, 'the new question is gone, the old decision holds');
  t.strictSame(conflict.company_ids, decided);
  const { id: manual } = await holderOf(tenantId, byHand);
  t.match(await resolve(tenantId, { decision: 'merge', company_id: manual }), { status: 200 }, 'and can be changed');
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual);
});

const actionsOf = async (tenantId: string, runId: string): Promise<Record<string, number>> => {
  const actions: Record<string, number> = {};
  let next: string | null = `${pathOf(tenantId)}/syncs/${runId}/plan?page[size]=500`;
  while (next !== null) {
    const { body }: TestResponse = await ask('GET', next);
    for (const { action } of body.data) actions[action] = (actions[action] ?? 0) + 1;
    next = body.next_page;
  }
  return actions;
};

t.test('a plan that is carried out after a look is a sync like any other, and can be read for good', async (t) => {
  const { numbers } = addVendor(15);
  const blank = numbers[14] as string;
  const tenantId = await begin('one_per_license');
  await sql(
    `insert into schedules (tenant_id, failures, paused_datetime, paused_reason) values ($1, 3, now(), 'internal')`,
    [tenantId],
  );
  control.setUbi({ location: blank, ubi: null });
  await vanishBesides(numbers.slice(0, 14));
  const review = await syncTenant(service, tenantId);
  t.match(review, { status: 'needs_review' });
  const { body: done } = await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/confirm`);
  t.match(done, { status: 'succeeded_with_warnings', warnings: [{ code: 'ubi_turned_blank', license_number: blank }] });
  t.ok(done.finished_datetime > review.finished_datetime, 'it ends when it is carried out');
  const paused = await sql('select from schedules where tenant_id = $1 and paused_datetime is not null', [tenantId]);
  t.equal(paused.length, 0, 'it is a success for the schedule as well');
  const preference = `${pathOf(tenantId)}/company-creation-preference`;
  const { body: preview } = await ask('POST', `${preference}/preview`, { body: { strategy: 'one_per_vendor' } });
  const applied = await actionsOf(tenantId, review.id);
  t.match(applied, { archived: 14, updated: Number });
  t.ok((await actionsOf(tenantId, preview.id)).archived, 'a preview says what it would do');

  await sql(`update sync_runs set finished_datetime = now() - interval '31 days' where tenant_id = $1`, [tenantId]);
  await sql(`update companies set inserted_datetime = now() - interval '60 days' where tenant_id = $1`, [tenantId]);
  await ask('POST', `${preference}/preview`, { body: { strategy: 'one_per_vendor' } });
  t.strictSame(await actionsOf(tenantId, review.id), applied, 'what was done stays told');
  t.strictSame(await actionsOf(tenantId, preview.id), {}, 'of a preview that is not kept nothing is told');
  for (const location of numbers.slice(0, 14)) control.restore({ location });
  await moveDirectory();
});

t.test('a delta warns of what the full plan warns of, however much it is', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 20 } });
  const town = alone.simulator.control;
  const tenantId = await makeTenant(alone);
  const numbers = Array.from({ length: 150 }, (_, index) => `98${String(index).padStart(5, '0')}`);
  for (const location of numbers) town.addSite({ ubi: `99${location}`, location, name: `N ${location}` });
  await syncTenant(alone, tenantId, { refresh: 'force' });
  for (const location of numbers) town.setUbi({ location, ubi: null });
  const blank = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.match(blank, { status: 'succeeded_with_warnings', warnings: { length: 100 } }, 'some are told');
  for (const { license_number: location } of blank.warnings) town.setUbi({ location, ubi: `99${location}` });
  const delta = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.equal(delta.warnings.length, 50, 'the others are not forgotten');
  await alone.sql(`update sync_states set compared_datetime = now() - interval '2 days'`);
  const full = await syncTenant(alone, tenantId);
  const numbersOf = ({ warnings }: Body): string[] => warnings.map(({ license_number }: Body) => license_number).sort();
  t.strictSame(numbersOf(full), numbersOf(delta), 'as the full plan says');
});

t.test('what was dismissed is that plan, and not another choice', async (t) => {
  const labs = await makeTenant(service);
  const wantLabs = async (tenantId: string): Promise<void> => {
    const path = `${pathOf(tenantId)}/company-creation-preference`;
    const etag = (await ask('GET', path)).headers.get('etag') as string;
    const body = { strategy: 'one_per_license', include_labs: true };
    t.equal((await ask('PUT', path, { body, headers: { 'if-match': etag } })).status, 200);
  };
  await wantLabs(labs);
  await syncTenant(service, labs, { refresh: 'force' });
  const { numbers } = addVendor(14);
  const tenantId = await begin('one_per_license');
  await vanishBesides(numbers);
  const review = await syncTenant(service, tenantId);
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/dismiss`)).status, 200);
  const companyId = (await ask('GET', `${pathOf(tenantId)}/companies`)).body.data[0].id;
  const company = `${pathOf(tenantId)}/companies/${companyId}`;
  const etag = (await ask('GET', company)).headers.get('etag') as string;
  t.equal((await ask('PATCH', company, { body: { name: 'EDITED' }, headers: { 'if-match': etag } })).status, 200);
  t.match(await syncTenant(service, tenantId), { warnings: [{ code: 'plan_dismissed' }] }, 'an edit asks no more');
  await wantLabs(tenantId);
  const asked = await syncTenant(service, tenantId);
  t.match(asked, { status: 'needs_review' }, 'with another choice it is another plan');
  t.match(await ask('POST', `${pathOf(tenantId)}/syncs/${asked.id}/confirm`), { status: 200 });
  const [taken] = await sql<{ count: number }>(
    'select count(*)::int from company_licenses where tenant_id = $1 and is_lab',
    [tenantId],
  );
  t.ok((taken?.count ?? 0) > 0, 'the labs are there');
  for (const location of numbers) control.restore({ location });
  await moveDirectory();
});

t.test('accepting a short list accepts that very list', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 90 } });
  const [first, second] = [await makeTenant(alone), await makeTenant(alone)];
  await syncTenant(alone, first);
  await syncTenant(alone, second);
  const victims = alone.simulator.control
    .rows()
    .filter(({ ubi, deleted }) => ubi !== alone.simulator.demo.ubi && !deleted);
  const vanish = (from: number, to: number): void => {
    for (const { location } of victims.slice(from, to)) alone.simulator.control.vanish({ location });
  };
  const digestOf = async (runId: string): Promise<string | null | undefined> =>
    (await alone.sql<{ list_digest: string | null }>('select list_digest from sync_runs where id = $1', [runId]))[0]
      ?.list_digest;
  const confirm = (run: Body): Promise<TestResponse> =>
    alone.ask('POST', `${pathOf(run.tenant_id)}/syncs/${run.id}/confirm`);

  vanish(0, 20);
  const short = { ...(await syncTenant(alone, first, { refresh: 'force' })), tenant_id: first };
  vanish(20, 40);
  const shorter = { ...(await syncTenant(alone, second, { refresh: 'force' })), tenant_id: second };
  t.match([short, shorter], [{ reason: 'list_shrunk' }, { reason: 'list_shrunk' }]);
  t.match(await confirm(short), { status: 409, body: { code: 'plan_stale' } }, 'another list was refused since');

  await alone.sql(`update directories set refreshed_datetime = now() - interval '1 day'`);
  const told = { ...(await syncTenant(alone, first)), tenant_id: first };
  t.equal(told.reason, 'list_shrunk', 'refused a moment ago');
  t.equal(await digestOf(told.id), await digestOf(shorter.id), 'and of the list that was');

  // The acceptance is kept, and what would have queued the run fails.
  await alone.sql(`create function fail() returns trigger language plpgsql as $$ begin raise 'no run today'; end $$`);
  await alone.sql('create trigger fail before insert on sync_runs for each row execute function fail()');
  const path = `${pathOf(first)}/syncs/${told.id}/confirm`;
  t.equal((await alone.ask('POST', path, { expectsInternal: true })).status, 500);
  await alone.sql('drop trigger fail on sync_runs');
  const accepted = await alone.ask('POST', path);
  t.match(accepted, { status: 200, body: { status: 'queued' } }, 'asked again, it is accepted all the same');
  const run = await waitForRun(alone, first, accepted.body.id);
  t.match(run, { status: 'needs_review', reason: null }, 'the list is published');
});

t.test('a decision carries out nothing that the guard stopped', async (t) => {
  const { tenantId, numbers, byHand } = await beginConflict(16);
  await vanishBesides(numbers.slice(0, 14));
  const review = await syncTenant(service, tenantId);
  t.match(review, { status: 'needs_review', reason_detail: /would become inactive/ });
  const inactive = (): Promise<{ count: number }[]> =>
    sql('select count(*)::int from company_licenses where tenant_id = $1 and not active', [tenantId]);
  const before = await inactive();
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/dismiss`)).status, 200);
  const { id: manual } = await holderOf(tenantId, byHand);
  t.equal((await resolve(tenantId, { decision: 'merge', company_id: manual })).status, 200);
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual, 'all licenses that the tenant has are merged');
  t.strictSame(await inactive(), before, 'none of them was lost by it');
  t.match(await syncTenant(service, tenantId), { warnings: [{ code: 'plan_dismissed' }], counts: { archived: 0 } });
  t.strictSame(await inactive(), before);
  for (const location of numbers.slice(0, 14)) control.restore({ location });
  await moveDirectory();
});

t.test('many moves, and many other names, wait for a person too', async (t) => {
  const seller = addVendor(31);
  const buyer = addVendor(1);
  const tenantId = await begin('one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const before = await holderOf(tenantId, seller.numbers[0] as string);

  for (const location of seller.numbers.slice(0, 30)) control.sell({ location, toUbi: buyer.ubi });
  await moveDirectory();
  const moves = await syncTenant(service, tenantId);
  t.match(moves, { status: 'needs_review', reason_detail: /^30 of \d+ licenses would go to another company\./ });
  t.equal((await holderOf(tenantId, seller.numbers[0] as string)).id, before.id, 'nothing has moved');
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${moves.id}/confirm`)).status, 200);
  const bought = await holderOf(tenantId, buyer.numbers[0] as string);
  t.equal((await holderOf(tenantId, seller.numbers[0] as string)).id, bought.id, 'now it has');

  const renamed = Array.from({ length: 30 }, () => addVendor(1));
  await syncTenant(service, tenantId, { refresh: 'force' });
  for (const [index, { numbers }] of renamed.entries()) {
    control.rename({ location: numbers[0] as string, name: `ANOTHER NAME ${index}` });
  }
  await moveDirectory();
  const names = await syncTenant(service, tenantId);
  t.match(names, { status: 'needs_review', reason_detail: /^30 of \d+ licenses would rename their company\./ });
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${names.id}/confirm`)).status, 200);
  t.match(await holderOf(tenantId, renamed[0]?.numbers[0] as string), { name: 'ANOTHER NAME 0' });
});

const EDITS = pickCount({ few: 15, full: 60, long: 2_000 });

t.test('edits and syncs at the same time come to what one after the other does', async (t) => {
  const { numbers } = addVendor(1);
  const [number] = numbers as [string];
  const tenantId = await begin('one_per_license');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { id } = await holderOf(tenantId, number);
  const path = `${pathOf(tenantId)}/companies/${id}`;
  let refused = 0;
  let syncs = 0;
  for (let round = 0; round < EDITS; round += 1) {
    control.rename({ location: number, name: `STATE ${round}` });
    const started = ask('POST', `${pathOf(tenantId)}/syncs`, { body: { refresh: 'force' } });
    const read = await ask('GET', path);
    const name = round % 3 === 0 ? null : `Person ${round}`;
    const edit = () => ask('PATCH', path, { body: { name }, headers: { 'if-match': read.headers.get('etag') ?? '' } });
    // So that edits fall before, into and after what the sync does.
    await pause((round % 15) * 5);
    let edited = await edit();
    // The sync was quicker: whoever edits is told so, and says it again of what there is now.
    if (edited.status === 412) {
      refused += 1;
      const again = await ask('GET', path);
      edited = await ask('PATCH', path, { body: { name }, headers: { 'if-match': again.headers.get('etag') ?? '' } });
    }
    const run = await waitForRun(service, tenantId, (await started).body.id);
    syncs += run.status === 'succeeded' ? 1 : 0;
    const { body } = await ask('GET', path);
    if (edited.status !== 200 && edited.status !== 412) t.fail(`${edited.status}`);
    if (edited.status === 200 && body.name !== (name ?? `STATE ${round}`)) t.fail(`${body.name}, wanted ${name}`);
    if (body.source_name !== `STATE ${round}`) t.fail(`${body.source_name}, wanted STATE ${round}`);
  }
  t.equal(syncs, EDITS, 'every sync was carried out');
  t.comment(`${EDITS} edits beside as many syncs, ${refused} told that the company had changed meanwhile`);
});
