import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import t from 'tap';
import type { Tx } from '../../src/db/database.js';
import { planSync, toKnownList } from '../../src/mapping/index.js';
import { selectListedLicenses } from '../../src/modules/directory/index.js';
import { inTenant } from '../../src/modules/tenants/index.js';
import { findPlanSettings, loadPlanInputs, loadSnapshot, makePlan } from '../../src/plans/index.js';
import { IS_LONG, IS_THINNED, pickCount } from '../helpers/counts.js';
import {
  checkReplica,
  EMPTY_REPLICA,
  FeedError,
  type Replica,
  readFeed,
  readFeedPage,
  readFeedTables,
  toCanonical,
} from '../helpers/feed.js';
import { findBrokenInvariants } from '../helpers/invariants.js';
import { makeTenant, startTestService, syncTenant, type TestResponse, waitForRun } from '../helpers/service.js';
import { until } from '../helpers/until.js';
import { readSeed } from '../mapping/world.js';

/**
 * Random histories on real Postgres: two tenants, one for each strategy, with random changes by the state and by users.
 * After each step, identities are unchanged, the invariants hold, replaying the feed gives the current state, and a full
 * plan has no steps, so delta plans have the same effect as full plans.
 */

const HISTORIES = pickCount({ few: 6, full: 100, long: 1_000 });
/** Actions of users during syncs. */
const INTERLEAVINGS = pickCount({ few: 20, full: 200, long: 2_000 });
const ACTIONS_PER_HISTORY = 10;
const SEED = readSeed();
t.setTimeout(IS_LONG ? 7_200_000 : 600_000);

type Body = TestResponse['body'];
type Op = readonly [kind: number, a: number, b: number];

const service = await startTestService(t, { simulator: { licenses: 45 } });
const { ask, sql, simulator, newId } = service;
const { control, demo } = simulator;
const owner = new pg.Client({ connectionString: service.databaseUrl });
await owner.connect();
t.teardown(() => owner.end());

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;
const at = <Value>(values: readonly Value[], index: number): Value => values[index % values.length] as Value;

/** Facts about a tenant that must never change. */
interface Memory {
  readonly tenantId: string;
  readonly own: Map<string, string>;
  readonly vendors: Map<string, string>;
  readonly licenses: Map<string, string>;
  readonly names: Map<string, string | null>;
  /** What a client had read at each check. */
  readonly replicas: Replica[];
  /** Of a client that reads one page after each step. */
  slow: Replica;
}

const tally = new Map<string, number>();
const count = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1);

const active = () => control.rows().filter(({ deleted, location }) => !deleted && location.trim() !== '');
const UBIS = ['551000001', '551000002', '551000003', demo.ubi];
const NAMES = ['GREEN LEAF', 'Mesa – Taos', 'MESA', 'Élan & Co'];
let gone: string[] = [];
let lastNumber = 0;
let reviews = 0;

const newNumber = (): string => {
  lastNumber += 1;
  return `0${440000000 + lastNumber}`;
};

/** Changes by the state. Selected by number, so that a history can be replayed. */
const STATE: readonly (readonly [string, (a: number, b: number) => void])[] = [
  ['rename', (a, b) => control.rename({ location: at(active(), a).location, name: at(NAMES, b) })],
  ['sell', (a, b) => control.sell({ location: at(active(), a).location, toUbi: at(UBIS, b) })],
  ['blank', (a) => control.setUbi({ location: at(active(), a).location, ubi: null })],
  ['set UBI', (a, b) => control.setUbi({ location: at(active(), a).location, ubi: at(UBIS, b) })],
  ['move', (a, b) => control.moveAddress({ location: at(active(), a).location, city: at(['TAOS', 'HOBBS'], b) })],
  ['vanish', (a) => vanish(at(active(), a).location)],
  [
    'return',
    (a) => {
      const [location] = gone.splice(a % Math.max(1, gone.length), 1);
      if (location !== undefined) control.restore({ location });
    },
  ],
  ['delete', (a) => control.delete({ location: at(active(), a).location })],
  ['site', (a, b) => control.addSite({ ubi: at(UBIS, a), location: newNumber(), name: at(NAMES, b), city: 'TAOS' })],
  ['swap', (a, b) => control.swapUbis({ a: at(active(), a).location, b: at(active(), b).location })],
];

async function sync(tenantId: string, force: boolean): Promise<void> {
  const before = await readFeedTables(sql, tenantId);
  let run = await syncTenant(service, tenantId, { refresh: force ? 'force' : 'auto' });
  count(`sync ${run.status}`);
  if (run.status !== 'needs_review') return;
  if (run.reason === 'list_shrunk') {
    const accepted = await ask('POST', `${pathOf(tenantId)}/syncs/${run.id}/confirm`);
    if (accepted.status !== 200) throw new Error(JSON.stringify(accepted.body));
    await sync(tenantId, true);
    return;
  }
  if (toCanonical(await readFeedTables(sql, tenantId)) !== toCanonical(before))
    throw new Error('I12: a run in review changed something');
  reviews += 1;
  if (reviews % 3 === 0) {
    const dismissed = await ask('POST', `${pathOf(tenantId)}/syncs/${run.id}/dismiss`);
    if (dismissed.status !== 200) throw new Error(JSON.stringify(dismissed.body));
    run = await syncTenant(service, tenantId, { refresh: 'auto' });
    if (run.status !== 'succeeded_with_warnings') throw new Error(`dismissed: ${JSON.stringify(run)}`);
    if (toCanonical(await readFeedTables(sql, tenantId)) !== toCanonical(before))
      throw new Error('a dismissed plan was applied');
    return count('dismiss');
  }
  run = (await ask('POST', `${pathOf(tenantId)}/syncs/${run.id}/confirm`)).body;
  if (!run.status.startsWith('succeeded')) throw new Error(`confirmed: ${JSON.stringify(run)}`);
}

async function editName(memory: Memory, a: number, name: string | null): Promise<void> {
  const { body } = await ask('GET', `${pathOf(memory.tenantId)}/companies?page[size]=500&archived=include`);
  const company = at(body.data as Body[], a);
  if (company === undefined || (name === null && company.origin === 'manual')) return;
  const path = `${pathOf(memory.tenantId)}/companies/${company.id}`;
  const { headers } = await ask('GET', path);
  const more = { legal_business_name: name, custom_data: name === null ? null : { words: [name, { a }] } };
  const edited = await ask('PATCH', path, {
    body: { name, ...more },
    headers: { 'if-match': headers.get('etag') as string },
  });
  if (edited.status !== 200) throw new Error(JSON.stringify(edited.body));
  memory.names.set(company.id, name);
  count(name === null ? 'revert' : 'edit');
}

async function addManual(memory: Memory, a: number, b: number): Promise<void> {
  const number = a % 3 === 0 ? at(gone.length > 0 ? gone : [newNumber()], a) : newNumber();
  const body = { name: at(NAMES, b), license_numbers: [number] };
  const made = await ask('POST', `${pathOf(memory.tenantId)}/companies`, { body });
  count(made.status === 201 ? 'manual company' : 'taken');
  if (made.status !== 201) return;
  memory.names.set(made.body.id, body.name);
  if (gone.includes(number)) return;
  control.addSite({ ubi: at(UBIS, b), location: number, name: 'MANUAL LICENSE' });
  await sync(memory.tenantId, true);
  await decide(memory, b);
}

/** Creates, changes, archives or restores a license of the tenant. */
async function changeOwnLicense(memory: Memory, a: number, b: number): Promise<void> {
  const path = `${pathOf(memory.tenantId)}/licenses`;
  const own = active().filter(({ ubi }) => ubi === demo.ubi);
  if (own.length > 0) {
    const created = await ask('POST', path, { body: { license_number: at(own, a).location } });
    if (created.status === 201) return count('own license');
  }
  const { body } = await ask('GET', `${path}?archived=include`);
  const license = at(body.data as Body[], b);
  if (license === undefined) return;
  const { headers } = await ask('GET', `${path}/${license.id}`);
  const change = at([{ archived: license.archived_datetime === null }, { name: at(NAMES, a), sync_rooms: false }], b);
  const changed = await ask('PATCH', `${path}/${license.id}`, {
    body: change,
    headers: { 'if-match': headers.get('etag') as string },
  });
  if (changed.status !== 200) throw new Error(JSON.stringify(changed.body));
  count('own license changed');
}

async function decide(memory: Memory, a: number): Promise<void> {
  const { body } = await ask('GET', `${pathOf(memory.tenantId)}/conflicts`);
  const conflict = at(
    (body.data as Body[]).filter(({ status }) => status !== 'closed'),
    a,
  );
  if (conflict === undefined) return;
  const choices = [null, ...conflict.company_ids];
  const companyId = at(choices, a >> 4);
  const decision = companyId === null ? { decision: 'keep_apart' } : { decision: 'merge', company_id: companyId };
  const resolved = await ask('POST', `${pathOf(memory.tenantId)}/conflicts/${conflict.id}/resolve`, { body: decision });
  count(`decide ${resolved.status}`);
}

async function switchStrategy(memory: Memory): Promise<void> {
  const path = `${pathOf(memory.tenantId)}/company-creation-preference`;
  const { headers, body } = await ask('GET', path);
  const strategy = body.strategy === 'one_per_vendor' ? 'one_per_license' : 'one_per_vendor';
  const { body: preview } = await ask('POST', `${path}/preview`, { body: { strategy } });
  const chosen = await ask('PUT', path, {
    body: { strategy, preview_id: preview.id },
    headers: { 'if-match': headers.get('etag') as string },
  });
  if (chosen.status !== 200) throw new Error(`switch: ${JSON.stringify(chosen.body)}`);
  count('switch');
}

/** Whether the step syncs the other tenant too. */
const touchesBoth = ([kind]: Op): boolean => kind % 28 === 23 || kind % 28 === 24;

async function step(memories: readonly Memory[], [kind, a, b]: Op): Promise<void> {
  const memory = at(memories, a);
  const which = kind % 28;
  const [name, change] = STATE[which] ?? [];
  if (change !== undefined) {
    change(a, b);
    count(name ?? '');
    if (b % 2 === 0) await sync(memory.tenantId, true);
  } else if (which < 13) await sync(memory.tenantId, b % 2 === 0);
  else if (which < 15) await editName(memory, b, at(NAMES, a));
  else if (which < 16) await editName(memory, b, null);
  else if (which < 18) await switchStrategy(memory);
  else if (which < 21) await addManual(memory, a, b);
  else if (which < 23) await decide(memory, b);
  else if (which < 25) {
    // The other tenant's sync updates the shared list before this tenant decides.
    const [, change] = at(STATE, b) as (typeof STATE)[number];
    change(b, a);
    await sync(at(memories, a + 1).tenantId, true);
    await decide(memory, b);
    count('decide on a newer list');
  } else if (which < 27) await changeOwnLicense(memory, a, b);
  else {
    // More than the guard of the state allows, or than the guard of the tenant.
    const [what, change] = b % 2 === 0 ? (['mass vanish', vanish] as const) : (['mass rename', renameAfresh] as const);
    for (const { location } of active().slice(0, 12)) change(location);
    count(what);
    await sync(memory.tenantId, true);
  }
}

function vanish(location: string): void {
  control.vanish({ location });
  gone.push(location);
}

const renameAfresh = (location: string): unknown => control.rename({ location, name: `NAME ${newNumber()}` });

/**
 * A user's action while a sync of the tenant is in progress. Afterwards the action is in effect, and the tenant is as if one
 * had waited for the other: a full plan of the list, the edits and the decisions has no steps.
 */
async function actDuringSync(memories: readonly Memory[], [kind, a, b]: Op): Promise<void> {
  const memory = at(memories, a);
  const { tenantId } = memory;
  // A manual company with a license of a vendor: only these conflict.
  if (kind % 7 === 0) return addManual(memory, a * 3 + 1, b);
  const [, change] = at(STATE, b) as (typeof STATE)[number];
  change(a, b);
  const { body: started } = await ask('POST', `${pathOf(tenantId)}/syncs`, { body: { refresh: 'force' } });
  await pause(b % 80);
  const act = at(
    [
      () => editName(memory, b, at(NAMES, a)),
      () => editName(memory, b, null),
      () => switchStrategy(memory),
      () => decide(memory, b),
      () => changeOwnLicense(memory, a, b),
    ],
    kind,
  );
  await retryWhenOvertaken(act);
  const { status } = (await ask('GET', `${pathOf(tenantId)}/syncs/${started.id}`)).body;
  count(status === 'queued' || status === 'running' ? 'action during a sync' : 'action after a sync');
  await waitForRun(service, tenantId, started.id);
  // A switch supersedes the run, which queues another one.
  await until('all runs have ended', async () => {
    const [row] = await sql(
      `select from sync_runs where tenant_id = $1 and mode = 'full' and status in ('queued', 'running')`,
      [tenantId],
    );
    return row === undefined;
  });
  await sync(tenantId, false);
}

/** The sync changed the company or the plan that the action is about: the user looks again and repeats it. */
async function retryWhenOvertaken(act: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      if (tries === 10 || !/precondition_failed|preview_stale|sync_in_progress/.test(String(error))) throw error;
      count('repeated action');
    }
  }
}

async function check(memory: Memory): Promise<void> {
  const { tenantId } = memory;
  const same = (known: Map<string, string>, key: string, value: string, what: string): void => {
    const before = known.get(key);
    if (before !== undefined && before !== value) throw new Error(`${what} of ${key} was ${before} and is ${value}`);
    known.set(key, value);
  };
  const licenses = await sql<{ id: string; license_key: string; own_company_id: string | null }>(
    'select id, license_key, own_company_id from company_licenses where tenant_id = $1',
    [tenantId],
  );
  for (const { id, license_key, own_company_id } of licenses) {
    same(memory.licenses, license_key, id, 'I13: the id');
    if (own_company_id !== null) same(memory.own, license_key, own_company_id, 'the own company');
  }
  for (const key of memory.licenses.keys()) {
    if (!licenses.some(({ license_key }) => license_key === key)) throw new Error(`license ${key} is missing`);
  }
  const vendors = await sql<{ ubi_key: string; company_id: string }>(
    'select ubi_key, company_id from vendor_companies where tenant_id = $1',
    [tenantId],
  );
  for (const { ubi_key, company_id } of vendors) same(memory.vendors, ubi_key, company_id, 'the vendor company');
  const edits = await sql<{ id: string; edited_name: string | null }>(
    'select id, edited_name from companies where tenant_id = $1',
    [tenantId],
  );
  for (const { id, edited_name } of edits) {
    if ((memory.names.get(id) ?? null) !== edited_name) throw new Error(`I8: the edit of ${id} is ${edited_name}`);
  }
  await checkFeed(memory);
  if (!(await checkFixpoint(tenantId))) await checkKnown(tenantId);
}

/**
 * I20: replaying the feed gives the current state: from the beginning, from an earlier state, and for a client that reads its
 * snapshot page by page while the tenant changes.
 */
async function checkFeed(memory: Memory): Promise<void> {
  const { tenantId, replicas } = memory;
  const wanted = await readFeedTables(sql, tenantId);
  const fresh = await readFeed(service, tenantId);
  checkReplica(fresh, wanted);
  const earlier = at([fresh, ...replicas], replicas.length * 7 + fresh.seq);
  const continued = await tryToContinue(() => readFeed(service, tenantId, earlier), earlier);
  if (continued !== undefined) {
    checkReplica(continued, wanted);
    if (continued.seq !== fresh.seq) throw new Error(`I20: the feed ends at ${continued.seq} and at ${fresh.seq}`);
    if (earlier.seq < fresh.seq) count('replayed from the middle');
  }
  const slow = await tryToContinue(() => readFeedPage(service, tenantId, memory.slow, SLOW_PAGE_SIZE), memory.slow);
  memory.slow = slow ?? EMPTY_REPLICA;
  if (slow?.isCurrent === true) {
    checkReplica(slow, wanted);
    count('read slowly');
    if (slow.counts.tail > 0) count('read slowly with changes');
    memory.slow = EMPTY_REPLICA;
  }
  replicas.push(fresh);
}

/** A snapshot takes about four pages, one after each check. */
const SLOW_PAGE_SIZE = 25;

/** Undefined if the first sync has run since, so that the client must begin again. */
async function tryToContinue(read: () => Promise<Replica>, from: Replica): Promise<Replica | undefined> {
  try {
    return await read();
  } catch (error) {
    const [feed] = await sql<{ start: string }>('select max(feed_start_seq) as start from tenants');
    if (error instanceof FeedError && error.code === 'feed_expired' && from.seq < Number(feed?.start)) return undefined;
    throw error;
  }
}

/**
 * A full plan from the known licenses has no steps, whatever changed a part of the tenant before (a decision, an edit, a
 * delta plan).
 */
async function checkKnown(tenantId: string): Promise<void> {
  const plan = await inTenant(service.service.db, tenantId, async (tx) => {
    const settings = await findPlanSettings(tx);
    if (settings === undefined) throw new Error('no plan settings');
    const snapshot = await loadSnapshot(tx, settings.ubiKey);
    const listed = toKnownList(snapshot.licenses);
    const { strategy } = settings;
    return planSync({ listed, snapshot, strategy, includeLabs: true, at: new Date().toISOString(), newId });
  });
  const steps = [...plan.companies, ...plan.licenses, ...plan.newVendorCompanies];
  if (steps.length > 0) throw new Error(`the plan from known licenses has steps: ${JSON.stringify(steps.slice(0, 2))}`);
  count('known');
}

/** A full plan with the inputs of the last sync has no steps. Returns false if the inputs have changed since. */
async function checkFixpoint(tenantId: string): Promise<boolean> {
  const [state] = await sql<{ is_same: boolean }>(
    `select (input_versions ->> 'directoryVersion')::bigint = directories.version
        and (input_versions ->> 'revision')::bigint = tenants.inputs_revision as is_same
       from sync_states join tenants using (tenant_id) join directories using (state, environment) where tenant_id = $1`,
    [tenantId],
  );
  if (state?.is_same !== true) return false;
  count('fixpoint');
  const plan = await inTenant(service.service.db, tenantId, async (tx) => {
    const settings = await findPlanSettings(tx);
    if (settings === undefined) throw new Error('no plan settings');
    const lists = { listLicenses: (tx: Tx, { id }: { id: number }) => selectListedLicenses(tx, id) };
    return makePlan(await loadPlanInputs(tx, lists, settings), { runId: newId(), at: new Date() });
  });
  const steps = [...plan.companies, ...plan.licenses, ...plan.newVendorCompanies];
  if (steps.length > 0) throw new Error(`the full plan has steps: ${JSON.stringify(steps.slice(0, 2))}`);
  return true;
}

async function play(ops: readonly Op[], take = step): Promise<void> {
  gone = [];
  control.reset();
  // Without the data of earlier histories.
  await sql('delete from tenants');
  await sql('delete from directory_license_owners');
  await sql('delete from directory_licenses');
  await sql('delete from directories');
  const memories: Memory[] = [];
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const tenantId = await makeTenant(service, 'credential', strategy);
    const [own, vendors, licenses] = [new Map(), new Map(), new Map()];
    memories.push({ tenantId, own, vendors, licenses, names: new Map(), replicas: [], slow: EMPTY_REPLICA });
    await sync(tenantId, false);
  }
  for (const op of ops) {
    await take(memories, op);
    for (const memory of touchesBoth(op) ? memories : [at(memories, op[1])]) await check(memory);
    const broken = await findBrokenInvariants(owner);
    if (broken.length > 0) throw new Error(broken.join('\n'));
  }
  for (const memory of memories) await check(memory);
}

t.comment(`TEST_SEED=${SEED} replays this run`);

t.test(`${HISTORIES} histories of two tenants`, async (t) => {
  const nat = fc.noBias(fc.nat({ max: 9_999 }));
  const history = fc.array(fc.tuple(nat, nat, nat), { minLength: 6, maxLength: 9, size: 'max' });
  const property = fc.asyncProperty(history, (ops) => play(ops));
  const result = await fc.check(property, {
    seed: SEED,
    numRuns: HISTORIES,
    // Shrinking would take minutes, and a failing history is short.
    endOnFailure: true,
  });
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? 'no fact changed');
  if (result.failed) t.comment(String(result.errorInstance));
  t.equal(result.numRuns, HISTORIES, 'all histories ran');
  t.comment([...tally].map(([what, times]) => `${what} ${times}`).join(', '));
  // Few histories do not cover every event.
  const expected = IS_THINNED
    ? ['switch', 'edit', 'revert', 'return', 'replayed from the middle', 'read slowly']
    : [
        'switch',
        'edit',
        'revert',
        'sell',
        'vanish',
        'return',
        'manual company',
        'decide 200',
        'decide on a newer list',
        'mass vanish',
        'mass rename',
        'dismiss',
        'own license',
        'replayed from the middle',
        'read slowly with changes',
      ];
  for (const what of expected) {
    t.ok((tally.get(what) ?? 0) > 0, `${what}: ${tally.get(what) ?? 0}`);
  }
  t.ok((tally.get('sync needs_review') ?? 0) > 0, 'some runs were reviewed');
  t.ok((tally.get('fixpoint') ?? 0) > HISTORIES, 'delta plans were compared with full plans');
});

t.test(`${INTERLEAVINGS} actions of users during syncs`, async (t) => {
  const nat = fc.noBias(fc.nat({ max: 9_999 }));
  const length = { minLength: ACTIONS_PER_HISTORY, maxLength: ACTIONS_PER_HISTORY };
  const history = fc.array(fc.tuple(nat, nat, nat), { ...length, size: 'max' });
  const property = fc.asyncProperty(history, (ops) => play(ops, actDuringSync));
  tally.clear();
  const numRuns = INTERLEAVINGS / ACTIONS_PER_HISTORY;
  const result = await fc.check(property, { seed: SEED, numRuns, endOnFailure: true });
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? 'each equals a serial order');
  if (result.failed) t.comment(String(result.errorInstance));
  t.equal(result.numRuns, numRuns, 'all histories ran');
  t.comment([...tally].map(([what, times]) => `${what} ${times}`).join(', '));
  t.ok((tally.get('action during a sync') ?? 0) > 0, 'some actions were faster than the sync');
});
