import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { pickCount } from '../helpers/counts.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';

/** Users' decisions, reviews and edits while the state's list changes. */

type Body = TestResponse['body'];
type Strategy = 'one_per_license' | 'one_per_vendor';

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { ask, sql, simulator } = service;
const { control } = simulator;

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;

/** Another tenant of the same state. Its syncs update the shared directory. */
const otherTenant = await makeTenant(service);
await syncTenant(service, otherTenant);

const moveDirectory = (): Promise<Body> => syncTenant(service, otherTenant, { refresh: 'force' });

async function createSyncedTenant(strategy: Strategy): Promise<string> {
  const tenantId = await makeTenant(service, 'credential', strategy);
  await syncTenant(service, tenantId, { refresh: 'force' });
  return tenantId;
}

/** The company of a license, active or not. */
async function holderOf(tenantId: string, number: string): Promise<Body> {
  const query = `license_number=${encodeURIComponent(number)}&archived=include&licenses=all`;
  return (await ask('GET', `${pathOf(tenantId)}/companies?${query}`)).body.data[0];
}

async function addManual(tenantId: string, name: string, ...numbers: string[]): Promise<string> {
  const made = await ask('POST', `${pathOf(tenantId)}/companies`, { body: { name, license_numbers: numbers } });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return made.body.id;
}

let vendors = 0;

/** Adds a vendor with this many licenses, oldest first. */
function addVendor(sites: number): { ubi: string; numbers: string[] } {
  vendors += 1;
  const ubi = `55${String(vendors).padStart(7, '0')}`;
  const numbers = Array.from({ length: sites }, (_, index) => newNumberOf(vendors, index));
  for (const [index, location] of numbers.entries()) control.addSite({ ubi, location, name: `V${vendors} #${index}` });
  return { ubi, numbers };
}

const newNumberOf = (vendor: number, index: number): string =>
  `66${String(vendor).padStart(4, '0')}${String(index).padStart(2, '0')}`;

/** Removes licenses from the directory in batches, below the guard of the directory but above that of a tenant. */
async function removeFromDirectory(numbers: readonly string[]): Promise<void> {
  for (let from = 0; from < numbers.length; from += 8) {
    for (const location of numbers.slice(from, from + 8)) control.vanish({ location });
    await moveDirectory();
  }
}

/** A tenant with a conflict between a vendor company and a manual company with a license of the same UBI. */
async function createConflict(
  sites: number,
): Promise<{ tenantId: string; numbers: string[]; manualNumber: string; ubi: string }> {
  const { ubi, numbers } = addVendor(sites);
  const tenantId = await createSyncedTenant('one_per_vendor');
  const manualNumber = newNumberOf(vendors, 90);
  await addManual(tenantId, `Manual ${vendors}`, manualNumber);
  control.addSite({ ubi, location: manualNumber, name: 'MANUAL LICENSE' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  if (run.counts.conflicts !== 1) throw new Error(JSON.stringify(run));
  return { tenantId, numbers, manualNumber, ubi };
}

async function findConflict(tenantId: string): Promise<Body> {
  return (await ask('GET', `${pathOf(tenantId)}/conflicts`)).body.data[0];
}

async function resolve(tenantId: string, body: object): Promise<TestResponse> {
  const { id } = await findConflict(tenantId);
  return ask('POST', `${pathOf(tenantId)}/conflicts/${id}/resolve`, { body });
}

t.test('a decision leaves the changes of the list to the next sync', async (t) => {
  const { tenantId, numbers, manualNumber } = await createConflict(1);
  const bystander = addVendor(1);
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.rename({ location: bystander.numbers[0] as string, name: 'RENAMED MEANWHILE' });
  const newcomer = addVendor(1);
  await moveDirectory();
  const { id: manual } = await holderOf(tenantId, manualNumber);
  t.equal((await resolve(tenantId, { decision: 'merge', company_id: manual })).status, 200);
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual, 'applied at once');
  t.match(await holderOf(tenantId, bystander.numbers[0] as string), { name: /^V/ }, 'nothing else is applied');
  const run = await syncTenant(service, tenantId);
  t.match(run.counts, { created: 1, updated: 1 }, 'the next sync applies the changes of the list');
  t.match(await holderOf(tenantId, bystander.numbers[0] as string), { name: 'RENAMED MEANWHILE' });
  t.ok(await holderOf(tenantId, newcomer.numbers[0] as string));
});

t.test('a decision does not replace a full plan that is due', async (t) => {
  const { tenantId } = await createConflict(1);
  const etag = (await ask('GET', `${pathOf(tenantId)}/ubi`)).headers.get('etag') as string;
  const { ubi } = addVendor(1);
  await syncTenant(service, tenantId, { refresh: 'force' });
  const changed = await ask('PUT', `${pathOf(tenantId)}/ubi`, { body: { ubi }, headers: { 'if-match': etag } });
  t.equal(changed.status, 200);
  t.equal((await resolve(tenantId, { decision: 'keep_apart' })).status, 200);
  const [kept] = await sql<{ ubi: string }>(
    `select input_versions ->> 'ubiKey' as ubi from sync_states where tenant_id = $1`,
    [tenantId],
  );
  t.not(kept?.ubi, ubi, 'the new UBI is not synced yet');
});

t.test('a decision can be changed while it is in effect', async (t) => {
  const { tenantId, numbers, manualNumber, ubi } = await createConflict(1);
  t.equal((await resolve(tenantId, { decision: 'keep_apart' })).status, 200);
  const decided = (await findConflict(tenantId)).company_ids;
  const second = newNumberOf(vendors, 91);
  await addManual(tenantId, 'Another manual company', second);
  control.addSite({ ubi, location: second, name: 'ANOTHER MANUAL LICENSE' });
  t.match(
    await syncTenant(service, tenantId, { refresh: 'force' }),
    { counts: { conflicts: 1 } },
    'reopened by another manual company',
  );
  t.match(await findConflict(tenantId), { status: 'open', decision: 'keep_apart' });
  control.sell({ location: second, toUbi: addVendor(1).ubi });
  t.match(await syncTenant(service, tenantId, { refresh: 'force' }), { counts: { conflicts: 0 } });
  const conflict = await findConflict(tenantId);
  t.match(conflict, { status: 'resolved', decision: 'keep_apart' }, 'closed again, the decision remains in effect');
  t.strictSame(conflict.company_ids, decided);
  const { id: manual } = await holderOf(tenantId, manualNumber);
  t.match(
    await resolve(tenantId, { decision: 'merge', company_id: manual }),
    { status: 200 },
    'the decision can be changed',
  );
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

t.test('a confirmed plan counts as a sync, and its items stay readable', async (t) => {
  const { ubi, numbers } = addVendor(15);
  const blank = numbers[14] as string;
  const tenantId = await createSyncedTenant('one_per_license');
  await sql(
    `insert into schedules (tenant_id, failures, paused_datetime, paused_reason) values ($1, 3, now(), 'internal')`,
    [tenantId],
  );
  control.setUbi({ location: blank, ubi: null });
  await removeFromDirectory(numbers.slice(0, 14));
  const review = await syncTenant(service, tenantId);
  t.match(review, { status: 'needs_review' });
  const { body: done } = await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/confirm`);
  t.match(done, {
    status: 'succeeded_with_warnings',
    warnings: [{ code: 'ubi_turned_blank', params: { license_number: blank } }],
  });
  t.ok(done.finished_datetime > review.finished_datetime, 'finished when it was confirmed');
  const paused = await sql('select from schedules where tenant_id = $1 and paused_datetime is not null', [tenantId]);
  t.equal(paused.length, 0, 'a success for the schedule');
  const preference = `${pathOf(tenantId)}/company-creation-preference`;
  const { body: preview } = await ask('POST', `${preference}/preview`, { body: { strategy: 'one_per_vendor' } });
  const applied = await actionsOf(tenantId, review.id);
  t.match(applied, { archived: 14, updated: Number });
  t.ok((await actionsOf(tenantId, preview.id)).archived, 'a preview lists what it would do');
  for (const location of numbers.slice(0, 14)) control.restore({ location });
  control.setUbi({ location: blank, ubi });
  await moveDirectory();
});

t.test('a delta plan keeps the warnings of the full plan', async (t) => {
  const alone = await startTestService(t, { simulator: { licenses: 20 } });
  const town = alone.simulator.control;
  const tenantId = await makeTenant(alone);
  const numbers = Array.from({ length: 150 }, (_, index) => `98${String(index).padStart(5, '0')}`);
  for (const location of numbers) town.addSite({ ubi: `99${location}`, location, name: `N ${location}` });
  await syncTenant(alone, tenantId, { refresh: 'force' });
  for (const location of numbers) town.setUbi({ location, ubi: null });
  const blank = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.match(blank, { status: 'succeeded_with_warnings', warnings: { length: 100 } }, 'limited to 100');
  for (const { params } of blank.warnings) {
    const location = params.license_number;
    town.setUbi({ location, ubi: `99${location}` });
  }
  const delta = await syncTenant(alone, tenantId, { refresh: 'force' });
  t.equal(delta.warnings.length, 50, 'the others are kept for later syncs');
  await alone.sql(`update sync_states set compared_datetime = now() - interval '2 days'`);
  const full = await syncTenant(alone, tenantId);
  const numbersOf = ({ warnings }: Body): string[] => warnings.map(({ params }: Body) => params.license_number).sort();
  t.strictSame(numbersOf(full), numbersOf(delta), 'the same as those of the full plan');
});

t.test('a dismissal covers one plan, not another preference', async (t) => {
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
  const tenantId = await createSyncedTenant('one_per_license');
  await removeFromDirectory(numbers);
  const review = await syncTenant(service, tenantId);
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/dismiss`)).status, 200);
  const companyId = (await ask('GET', `${pathOf(tenantId)}/companies`)).body.data[0].id;
  const company = `${pathOf(tenantId)}/companies/${companyId}`;
  const etag = (await ask('GET', company)).headers.get('etag') as string;
  t.equal((await ask('PATCH', company, { body: { name: 'EDITED' }, headers: { 'if-match': etag } })).status, 200);
  t.match(
    await syncTenant(service, tenantId),
    { warnings: [{ code: 'plan_dismissed' }] },
    'an edit does not bring the plan back',
  );
  await wantLabs(tenantId);
  const asked = await syncTenant(service, tenantId);
  t.match(asked, { status: 'needs_review' }, 'another preference gives another plan');
  t.match(await ask('POST', `${pathOf(tenantId)}/syncs/${asked.id}/confirm`), { status: 200 });
  const [taken] = await sql<{ count: number }>(
    'select count(*)::int from company_licenses where tenant_id = $1 and is_lab',
    [tenantId],
  );
  t.ok((taken?.count ?? 0) > 0, 'labs were added');
  for (const location of numbers) control.restore({ location });
  await moveDirectory();
});

t.test('accepting a shorter list accepts only that list', async (t) => {
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
  t.match(await confirm(short), { status: 409, body: { code: 'plan_stale' } }, 'another list was rejected since');

  await alone.sql(`update directories set refreshed_datetime = now() - interval '1 day'`);
  const rejected = { ...(await syncTenant(alone, first)), tenant_id: first };
  t.equal(rejected.reason, 'list_shrunk', 'rejected a moment ago');
  t.equal(await digestOf(rejected.id), await digestOf(shorter.id), 'with the digest of the rejected list');

  // The list is accepted, but queuing the run fails.
  await alone.sql(
    `create function fail() returns trigger language plpgsql as $$ begin raise 'simulated failure'; end $$`,
  );
  await alone.sql('create trigger fail before insert on sync_runs for each row execute function fail()');
  const path = `${pathOf(first)}/syncs/${rejected.id}/confirm`;
  t.equal((await alone.ask('POST', path, { expectsInternal: true })).status, 500);
  await alone.sql('drop trigger fail on sync_runs');
  const accepted = await alone.ask('POST', path);
  t.match(accepted, { status: 200, body: { status: 'queued' } }, 'a second request succeeds');
  const run = await waitForRun(alone, first, accepted.body.id);
  t.match(run, { status: /^succeeded/, counts: { archived: 40 } }, 'the list is published');
});

t.test('a decision does not apply changes that the guard stopped', async (t) => {
  const { tenantId, numbers, manualNumber } = await createConflict(16);
  await removeFromDirectory(numbers.slice(0, 14));
  const review = await syncTenant(service, tenantId);
  t.match(review, { status: 'needs_review', reason_message: { text: /would become inactive/ } });
  const inactive = (): Promise<{ count: number }[]> =>
    sql('select count(*)::int from company_licenses where tenant_id = $1 and not active', [tenantId]);
  const before = await inactive();
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${review.id}/dismiss`)).status, 200);
  const { id: manual } = await holderOf(tenantId, manualNumber);
  t.equal((await resolve(tenantId, { decision: 'merge', company_id: manual })).status, 200);
  t.equal((await holderOf(tenantId, numbers[0] as string)).id, manual, 'all licenses of the UBI are merged');
  t.strictSame(await inactive(), before, 'no license became inactive');
  t.match(await syncTenant(service, tenantId), { warnings: [{ code: 'plan_dismissed' }], counts: { archived: 0 } });
  t.strictSame(await inactive(), before);
  for (const location of numbers.slice(0, 14)) control.restore({ location });
  await moveDirectory();
});

t.test('many moves or renames must be reviewed too', async (t) => {
  const seller = addVendor(31);
  const buyer = addVendor(1);
  const tenantId = await createSyncedTenant('one_per_vendor');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const before = await holderOf(tenantId, seller.numbers[0] as string);

  for (const location of seller.numbers.slice(0, 30)) control.sell({ location, toUbi: buyer.ubi });
  await moveDirectory();
  const moves = await syncTenant(service, tenantId);
  t.match(moves, {
    status: 'needs_review',
    reason_message: { text: /^30 of \d+ licenses would move to another company\./ },
  });
  t.equal(
    (await holderOf(tenantId, seller.numbers[0] as string)).id,
    before.id,
    'nothing moved before the confirmation',
  );
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${moves.id}/confirm`)).status, 200);
  const bought = await holderOf(tenantId, buyer.numbers[0] as string);
  t.equal((await holderOf(tenantId, seller.numbers[0] as string)).id, bought.id, 'moved');

  const renamed = Array.from({ length: 30 }, () => addVendor(1));
  await syncTenant(service, tenantId, { refresh: 'force' });
  for (const [index, { numbers }] of renamed.entries()) {
    control.rename({ location: numbers[0] as string, name: `ANOTHER NAME ${index}` });
  }
  await moveDirectory();
  const names = await syncTenant(service, tenantId);
  t.match(names, {
    status: 'needs_review',
    reason_message: { text: /^30 companies of 30 licenses would be renamed\./ },
  });
  t.equal((await ask('POST', `${pathOf(tenantId)}/syncs/${names.id}/confirm`)).status, 200);
  t.match(await holderOf(tenantId, renamed[0]?.numbers[0] as string), { name: 'ANOTHER NAME 0' });
});

const EDITS = pickCount({ few: 15, full: 60, long: 2_000 });

t.test('concurrent edits and syncs have the same result as sequential ones', async (t) => {
  const { numbers } = addVendor(1);
  const [number] = numbers as [string];
  const tenantId = await createSyncedTenant('one_per_license');
  await syncTenant(service, tenantId, { refresh: 'force' });
  const { id } = await holderOf(tenantId, number);
  const path = `${pathOf(tenantId)}/companies/${id}`;
  let refused = 0;
  let syncs = 0;
  for (let round = 0; round < EDITS; round += 1) {
    control.rename({ location: number, name: `STATE ${round}` });
    const started = ask('POST', `${pathOf(tenantId)}/syncs`, { body: { refresh: 'force' } });
    const read = await ask('GET', path);
    const name = round % 3 === 0 ? null : `EDITED ${round}`;
    const edit = () => ask('PATCH', path, { body: { name }, headers: { 'if-match': read.headers.get('etag') ?? '' } });
    // So that edits run before, during and after the sync.
    await pause((round % 15) * 5);
    let edited = await edit();
    // The sync was faster: retry the edit with the current ETag.
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
  t.equal(syncs, EDITS, 'every sync succeeded');
  t.comment(`${EDITS} edits during as many syncs; ${refused} edits were rejected with 412 and retried`);
});
