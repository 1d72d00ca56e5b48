import process from 'node:process';
import fc from 'fast-check';
import pg from 'pg';
import t from 'tap';
import { listKnown, planSync } from '../../src/mapping/index.js';
import { loadSnapshot } from '../../src/modules/companies/index.js';
import { findGround, toPlanRequest } from '../../src/modules/syncs/carry-out.js';
import { planWhole } from '../../src/modules/syncs/plan-tenant.js';
import { inTenant } from '../../src/modules/tenants/index.js';
import { findBrokenInvariants } from '../helpers/invariants.js';
import { type Answer, makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { readSeed } from '../mapping/world.js';

/**
 * Histories at random on real Postgres: two tenants, one of each strategy, live through what a state and persons do. After
 * each step everything that was ever learnt must still be so, the invariants hold, the feed replays to what is there, and
 * planning the whole tenant anew finds nothing to do: what the delta plans did is what the full plan would have done.
 */

const IS_LONG = process.env.TEST_LONG === '1';
const HISTORIES = IS_LONG ? 1_000 : 100;
const SEED = readSeed();
t.setTimeout(IS_LONG ? 7_200_000 : 600_000);

type Body = Answer['body'];
type Op = readonly [kind: number, a: number, b: number];

const service = await startTestService(t, { simulator: { licenses: 45 } });
const { ask, sql, simulator, newId } = service;
const { control, demo } = simulator;
const owner = new pg.Client({ connectionString: service.databaseUrl });
await owner.connect();
t.teardown(() => owner.end());

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}`;
const at = <Value>(values: readonly Value[], index: number): Value => values[index % values.length] as Value;

/** What was learnt of a tenant, and may never become otherwise. */
interface Memory {
  readonly tenantId: string;
  readonly own: Map<string, string>;
  readonly vendors: Map<string, string>;
  readonly licenses: Map<string, string>;
  readonly names: Map<string, string | null>;
  changes: number;
}

const tally = new Map<string, number>();
const count = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1);

const active = () => control.rows().filter(({ deleted, location }) => !deleted && location.trim() !== '');
const UBIS = ['551000001', '551000002', '551000003', demo.ubi];
const NAMES = ['GREEN LEAF', 'Mesa – Taos', 'MESA', 'Élan & Co'];
let gone: string[] = [];
let lastNumber = 0;
/** Tenants with a company made by hand that no sync has looked at: it has no UBI before. */
const unseen = new Set<string>();

const newNumber = (): string => {
  lastNumber += 1;
  return `0${440000000 + lastNumber}`;
};

/** What the state does; by a number, so that a history can be replayed. */
const STATE: readonly (readonly [string, (a: number, b: number) => void])[] = [
  ['rename', (a, b) => control.rename({ location: at(active(), a).location, name: at(NAMES, b) })],
  ['sell', (a, b) => control.sell({ location: at(active(), a).location, toUbi: at(UBIS, b) })],
  ['blank', (a) => control.setUbi({ location: at(active(), a).location, ubi: null })],
  ['told', (a, b) => control.setUbi({ location: at(active(), a).location, ubi: at(UBIS, b) })],
  ['move', (a, b) => control.moveAddress({ location: at(active(), a).location, city: at(['TAOS', 'HOBBS'], b) })],
  [
    'vanish',
    (a) => {
      const { location } = at(active(), a);
      control.vanish({ location });
      gone.push(location);
    },
  ],
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
  let run = await syncTenant(service, tenantId, { refresh: force ? 'force' : 'auto' });
  count(`sync ${run.status}`);
  if (run.reason !== 'list_shrunk') unseen.delete(tenantId);
  if (run.status !== 'needs_review') return;
  if (run.reason === 'list_shrunk') {
    const accepted = await ask('POST', `${pathOf(tenantId)}/syncs/${run.id}/confirm`);
    if (accepted.status !== 200) throw new Error(JSON.stringify(accepted.body));
    await sync(tenantId, true);
    return;
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
  const edited = await ask('PATCH', path, { body: { name }, headers: { 'if-match': headers.get('etag') as string } });
  if (edited.status !== 200) throw new Error(JSON.stringify(edited.body));
  memory.names.set(company.id, name);
  count(name === null ? 'revert' : 'edit');
}

async function makeByHand(memory: Memory, a: number, b: number): Promise<void> {
  const number = a % 3 === 0 ? at(gone.length > 0 ? gone : [newNumber()], a) : newNumber();
  const body = { name: at(NAMES, b), license_numbers: [number] };
  const made = await ask('POST', `${pathOf(memory.tenantId)}/companies`, { body });
  count(made.status === 201 ? 'by hand' : 'taken');
  if (made.status !== 201) return;
  memory.names.set(made.body.id, body.name);
  unseen.add(memory.tenantId);
  if (gone.includes(number)) return;
  control.addSite({ ubi: at(UBIS, b), location: number, name: 'NAMED BY HAND' });
  await sync(memory.tenantId, true);
  await decide(memory, b);
}

async function decide(memory: Memory, a: number): Promise<void> {
  const { body } = await ask('GET', `${pathOf(memory.tenantId)}/conflicts`);
  const conflict = at(
    (body.data as Body[]).filter(({ status }) => status !== 'gone'),
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

async function step(memories: readonly Memory[], [kind, a, b]: Op): Promise<void> {
  const memory = at(memories, a);
  const which = kind % 26;
  const [name, happen] = STATE[which] ?? [];
  if (happen !== undefined) {
    happen(a, b);
    count(name ?? '');
    if (b % 2 === 0) await sync(memory.tenantId, true);
  } else if (which < 13) await sync(memory.tenantId, b % 2 === 0);
  else if (which < 15) await editName(memory, b, at(NAMES, a));
  else if (which < 16) await editName(memory, b, null);
  else if (which < 18) await switchStrategy(memory);
  else if (which < 21) await makeByHand(memory, a, b);
  else if (which < 23) await decide(memory, b);
  else if (which < 25) {
    // The list moves for this tenant as well, who did not look yet.
    const [, happen] = at(STATE, b) as (typeof STATE)[number];
    happen(b, a);
    await sync(at(memories, a + 1).tenantId, true);
    await decide(memory, b);
    count('decide behind');
  } else {
    // Too many at once for the guards.
    for (const { location } of active().slice(0, 12)) {
      control.vanish({ location });
      gone.push(location);
    }
    count('mass vanish');
    await sync(memory.tenantId, true);
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
    if (!licenses.some(({ license_key }) => license_key === key)) throw new Error(`license ${key} is gone`);
  }
  const vendors = await sql<{ ubi_key: string; company_id: string }>(
    'select ubi_key, company_id from vendor_companies where tenant_id = $1',
    [tenantId],
  );
  for (const { ubi_key, company_id } of vendors) same(memory.vendors, ubi_key, company_id, 'the vendor company');
  const companies = await sql<Record<string, unknown> & { id: string; edited_name: string | null }>(
    `select id, origin, edited_name, source_name, coalesce(edited_name, source_name) as name, display_name, ubi,
            is_own_company, archived_datetime is not null as archived, superseded_by
       from companies where tenant_id = $1`,
    [tenantId],
  );
  for (const { id, edited_name } of companies) {
    if ((memory.names.get(id) ?? null) !== edited_name) throw new Error(`I8: the edit of ${id} is ${edited_name}`);
  }
  await checkFeed(tenantId, companies);
  if (!(await checkFixpoint(tenantId))) await checkKnown(tenantId);
}

/** I20: who applies each line of the feed to nothing has what is there. */
async function checkFeed(tenantId: string, companies: readonly Record<string, unknown>[]): Promise<void> {
  const lines = await sql<{ kind: string; company_id: string; before: Body; after: Body }>(
    `select kind, company_id, before, after from changes where tenant_id = $1 and kind like 'company.%' order by seq`,
    [tenantId],
  );
  const told = new Map<string, Record<string, unknown>>();
  for (const { kind, company_id, before, after } of lines) {
    const present = told.get(company_id);
    for (const [name, value] of Object.entries(before ?? {})) {
      if (JSON.stringify(present?.[name] ?? null) !== JSON.stringify(value)) {
        throw new Error(`I20: ${kind} of ${company_id}: ${name} was ${present?.[name]}, the feed says ${value}`);
      }
    }
    told.set(company_id, { ...present, ...after });
  }
  for (const { edited_name: _, ...company } of companies) {
    const replayed = told.get(String(company.id));
    for (const [name, value] of Object.entries(company)) {
      if (JSON.stringify(replayed?.[name]) !== JSON.stringify(value)) {
        throw new Error(`I20: ${name} of ${company.id} is ${value}, the feed says ${replayed?.[name]}`);
      }
    }
  }
}

/**
 * Whatever was done to a part of the tenant (a decision, an edit, a delta plan), planning the whole of it from what it
 * knows finds nothing to do.
 */
async function checkKnown(tenantId: string): Promise<void> {
  if (unseen.has(tenantId)) return;
  const plan = await inTenant(service.service.db, tenantId, async (tx, tenant) => {
    const ground = await findGround(tx, tenant);
    if (ground === undefined) throw new Error('there is no ground');
    const snapshot = await loadSnapshot(tx, ground.ubi.ubiKey);
    const listed = listKnown(snapshot.licenses);
    const { strategy } = ground.preference;
    return planSync({ listed, snapshot, strategy, includeLabs: true, at: new Date().toISOString(), newId });
  });
  const steps = [...plan.companies, ...plan.licenses, ...plan.newVendorCompanies];
  if (steps.length > 0) throw new Error(`what is known is not carried out: ${JSON.stringify(steps.slice(0, 2))}`);
  count('known');
}

/** The full plan for the directory that the tenant was last planned from has nothing to do; false: that list moved. */
async function checkFixpoint(tenantId: string): Promise<boolean> {
  const [state] = await sql<{ is_same: boolean }>(
    `select sync_states.directory_version = directories.version
        and sync_states.preference_version = creation_preferences.version
        and sync_states.revision = tenants.revision as is_same
       from sync_states join tenants using (tenant_id) join creation_preferences using (tenant_id)
       join directories using (state, environment) where tenant_id = $1`,
    [tenantId],
  );
  if (state?.is_same !== true) return false;
  count('fixpoint');
  const plan = await inTenant(service.service.db, tenantId, async (tx, tenant) => {
    const ground = await findGround(tx, tenant);
    if (ground === undefined) throw new Error('there is no ground');
    const request = toPlanRequest(ground, ground.preference, newId(), new Date());
    return (await planWhole(tx, request)).plan;
  });
  const steps = [...plan.companies, ...plan.licenses, ...plan.newVendorCompanies];
  if (steps.length > 0) throw new Error(`the full plan would still do ${JSON.stringify(steps.slice(0, 2))}`);
  return true;
}

async function play(ops: readonly Op[]): Promise<void> {
  gone = [];
  control.reset();
  // A history of its own: another state's list would be a history that jumps.
  await sql('delete from tenants');
  await sql('delete from directory_license_owners');
  await sql('delete from directory_licenses');
  await sql('delete from directories');
  const memories: Memory[] = [];
  for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
    const tenantId = await makeTenant(service, 'credential', strategy);
    const [own, vendors, licenses] = [new Map(), new Map(), new Map()];
    memories.push({ tenantId, own, vendors, licenses, names: new Map(), changes: 0 });
    await sync(tenantId, false);
  }
  for (const op of ops) {
    await step(memories, op);
    await check(at(memories, op[1]));
  }
  for (const memory of memories) await check(memory);
  const broken = await findBrokenInvariants(owner);
  if (broken.length > 0) throw new Error(broken.join('\n'));
}

t.comment(`FC_SEED=${SEED} replays this run`);

t.test(`${HISTORIES} histories of two tenants`, async (t) => {
  const nat = fc.noBias(fc.nat({ max: 9_999 }));
  const history = fc.array(fc.tuple(nat, nat, nat), { minLength: 6, maxLength: 9, size: 'max' });
  const result = await fc.check(fc.asyncProperty(history, play), {
    seed: SEED,
    numRuns: HISTORIES,
    // A failing history is short enough to be read; making it shorter would take minutes.
    endOnFailure: true,
  });
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? 'nothing that was learnt became otherwise');
  if (result.failed) t.comment(String(result.errorInstance));
  t.equal(result.numRuns, HISTORIES, 'all were played');
  t.comment([...tally].map(([what, times]) => `${what} ${times}`).join(', '));
  for (const what of [
    'switch',
    'edit',
    'revert',
    'sell',
    'vanish',
    'return',
    'by hand',
    'decide 200',
    'decide behind',
    'mass vanish',
  ]) {
    t.ok((tally.get(what) ?? 0) > 0, `${what}: ${tally.get(what) ?? 0}`);
  }
  t.ok((tally.get('sync needs_review') ?? 0) > 0, 'guards asked');
  t.ok((tally.get('fixpoint') ?? 0) > HISTORIES, 'delta plans were held against full ones');
});
