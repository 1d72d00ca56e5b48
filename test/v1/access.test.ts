import t from 'tap';
import { isPublic, mayCall, type OperationId } from '../../src/http/policy.js';
import type { Operation } from '../helpers/contract.js';
import { pickCount } from '../helpers/counts.js';
import { createQuickAsk } from '../helpers/quick-ask.js';
import { readSeed } from '../helpers/seed.js';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';

/** Authorization: every operation for every kind of caller, ids of other tenants, and concurrent editors. */

const PAIRS = pickCount({ few: 300, full: 2_000, long: 10_000 });
const ROUNDS = pickCount({ few: 8, full: 50, long: 500 });
const EDITORS = 8;
const SEED = readSeed();

const service = await startTestService(t, { simulator: { licenses: 30 } });
const { ask, contract, newId, operatorKey, tokenOf } = service;
const quickAsk = createQuickAsk(service.baseUrl, 12);
t.teardown(() => quickAsk.close());

interface Owned {
  readonly tenantId: string;
  readonly adminKey: string;
  /** The ids of all listed objects, by the path of the list. */
  readonly ids: ReadonlyMap<string, readonly string[]>;
}

async function makeOwned(name: string): Promise<Owned> {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const tenant = `/v1/tenants/${tenantId}`;
  const etag = String((await ask('GET', tenant)).headers.get('etag'));
  await ask('PUT', tenant, { headers: { 'if-match': etag }, body: { name, state: 'NM', environment: 'production' } });
  const [{ license_number }] = (await ask('GET', `${tenant}/available-licenses`)).body.data;
  await ask('POST', `${tenant}/licenses`, { body: { license_number } });
  await syncTenant(service, tenantId);
  const key = await ask('POST', '/v1/api-keys', { body: { description: name, role: 'admin', tenant_id: tenantId } });
  const ids = new Map<string, readonly string[]>();
  for (const { path, method } of contract.operations) {
    const list = /^(.*)\/\{id\}$/.exec(path)?.[1];
    if (method !== 'GET' || list === undefined) continue;
    const { body } = await ask('GET', list.replace('{tenant_id}', tenantId));
    ids.set(
      list,
      body.data.map(({ id }: { id: string }) => id),
    );
  }
  return { tenantId, adminKey: key.body.secret, ids };
}

const ours = await makeOwned('canary-of-ours');
const theirs = await makeOwned('canary-of-theirs');

const toPath = ({ path }: Operation, tenantId: string, id: string): string =>
  path.replace('{tenant_id}', tenantId).replace(/\{(?!tenant_id)[a-z_]+\}/g, id);

t.test('every operation for every kind of caller', async (t) => {
  const gone = await ask('POST', '/v1/api-keys', { body: { description: 'gone', role: 'operator' } });
  await ask('DELETE', `/v1/api-keys/${gone.body.id}`);
  const { tenantId } = ours;
  const user = { tenantId, userId: 'user-1' };
  const callers = {
    anonymous: { key: null, role: undefined, isForeign: false },
    'a deleted key': { key: String(gone.body.secret), role: undefined, isForeign: false },
    'an expired token': {
      key: tokenOf({ ...user, role: 'admin', expiresInSeconds: -120 }),
      role: undefined,
      isForeign: false,
    },
    "an operator's key": { key: operatorKey, role: 'operator', isForeign: false },
    "an admin's key": { key: ours.adminKey, role: 'admin', isForeign: false },
    "another tenant's key": { key: theirs.adminKey, role: 'admin', isForeign: true },
    'an admin': { key: tokenOf({ ...user, role: 'admin' }), role: 'admin', isForeign: false },
    'a user': { key: tokenOf({ ...user, role: 'user' }), role: 'user', isForeign: false },
    "another tenant's admin": {
      key: tokenOf({ tenantId: theirs.tenantId, role: 'admin' }),
      role: 'admin',
      isForeign: true,
    },
    "another tenant's user": {
      key: tokenOf({ tenantId: theirs.tenantId, role: 'user' }),
      role: 'user',
      isForeign: true,
    },
    'a user of an unknown tenant': { key: tokenOf({ tenantId: newId(), role: 'user' }), role: 'user', isForeign: true },
  } as const;

  let cells = 0;
  for (const operation of contract.operations) {
    const id = operation.id as OperationId;
    const seen: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const [name, { key, role, isForeign }] of Object.entries(callers)) {
      cells += 1;
      // Without a body and a precondition, so that authorized calls change nothing.
      const answer = await quickAsk(operation.method, toPath(operation, tenantId, newId()), { key });
      contract.check(operation.method, toPath(operation, tenantId, newId()), answer, false);
      seen[name] = toVerdict(answer);
      wanted[name] = isPublic(id)
        ? 'authorized'
        : role === undefined
          ? 'unauthenticated'
          : !mayCall(id, role)
            ? 'forbidden'
            : isForeign && operation.path.includes('{tenant_id}')
              ? 'tenant not found'
              : 'authorized';
    }
    t.strictSame(seen, wanted, operation.id);
    const { description } = described(operation);
    const roles = (['operator', 'admin', 'user'] as const).filter((role) => mayCall(id, role));
    const audience = isPublic(id)
      ? 'Requires no authentication.'
      : `Roles: ${roles.map((role) => `\`${role}\``).join(', ')}.`;
    t.ok(description.endsWith(audience), `${operation.id} documents its roles`);
  }
  t.comment(`${cells} cells: ${contract.operations.length} operations × ${Object.keys(callers).length} callers`);
});

const described = ({ path, method }: Operation): { readonly description: string } =>
  (contract.document.paths as Record<string, Record<string, { description: string }>>)[path]?.[
    method.toLowerCase()
  ] ?? {
    description: '',
  };

/** How far a call got. A 403 with another detail comes from a service, after the policy allowed the call. */
function toVerdict({ status, body }: TestResponse): string {
  if (status === 401) return 'unauthenticated';
  if (status === 403 && /^The role "\w+" does not allow this operation\.$/.test(body?.detail)) return 'forbidden';
  return status === 404 && body?.detail === 'The tenant does not exist, or the caller cannot access it.'
    ? 'tenant not found'
    : 'authorized';
}

t.test('random ids of other tenants return nothing and change nothing', async (t) => {
  t.comment(`TEST_SEED=${SEED}, ${PAIRS} pairs`);
  const random = createRandom(SEED);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  // User ids come from the host application, so any id is valid in the own tenant.
  const operations = contract.operations.filter(
    ({ path }) => path.includes('{tenant_id}') && !path.includes('{user_id}'),
  );
  const everything = [...theirs.ids.values()].flat();
  const own = [...ours.ids.values()].flat();
  const before = await readEverything(theirs);
  const keys = [
    ours.adminKey,
    tokenOf({ tenantId: ours.tenantId, role: 'admin' }),
    tokenOf({ tenantId: ours.tenantId, role: 'user' }),
  ];
  const isTheirs = (text: string, asked: string): boolean =>
    ['canary-of-theirs', theirs.tenantId, ...everything].some((each) => each !== asked && text.includes(each));
  for (const part of before) t.ok(isTheirs(JSON.stringify(part), ''), 'the leak check recognizes their data');
  const leaks: string[] = [];
  let authorized = 0;
  const askOnce = async (): Promise<void> => {
    const operation = pick(operations);
    const hasId = /\{(?!tenant_id)/.test(operation.path);
    // The own tenant with an id of the other one, or the other tenant with any id.
    const isTheirTenant = !hasId || random() < 0.5;
    const id = pick(isTheirTenant && random() < 0.3 ? own : random() < 0.7 ? everything : [newId()]);
    const path = toPath(operation, isTheirTenant ? theirs.tenantId : ours.tenantId, id);
    const key = pick(keys);
    const body =
      operation.body === undefined
        ? undefined
        : pick([{}, (operation.body.examples as unknown[] | undefined)?.[0] ?? {}]);
    const headers = pick([{}, { 'if-match': '"1"' }, { 'if-match': '"2"' }, { 'if-none-match': '*' }]) as Record<
      string,
      string
    >;
    const { status, body: said } = await quickAsk(operation.method, path, {
      key,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = JSON.stringify(said ?? '');
    if (status < 400) authorized += 1;
    if (status < 400 || isTheirs(text, id)) leaks.push(`${operation.method} ${path} → ${status} ${text.slice(0, 300)}`);
  };
  let left = PAIRS;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      while (left-- > 0) await askOnce();
    }),
  );
  t.strictSame(leaks.slice(0, 5), [], 'no data of the other tenant, and no success');
  t.equal(authorized, 0);
  t.strictSame(await readEverything(theirs), before, 'the other tenant is unchanged');
});

async function readEverything({ tenantId, ids }: Owned): Promise<unknown[]> {
  const lists = [...ids.keys()].map((list) => list.replace('{tenant_id}', tenantId));
  const answers = await Promise.all([`/v1/tenants/${tenantId}`, ...lists].map((path) => ask('GET', path)));
  return answers.map(({ body }) => body);
}

/** mulberry32: replays from its seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns a function whose promises resolve once it was called `count` times. */
function createBarrier(count: number): () => Promise<void> {
  let left = count;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    left -= 1;
    if (left === 0) open();
    return opened;
  };
}

t.test('concurrent editors lose no update', async (t) => {
  const tenantId = await makeTenant(service, 'credential');
  const tenant = `/v1/tenants/${tenantId}`;
  const credential = (await ask('GET', `${tenant}/credentials`)).body.data[0].id;
  const resources = [
    {
      method: 'PUT',
      path: tenant,
      toBody: (text: string) => ({ name: text, state: 'NM', environment: 'production' }),
      field: 'name',
    },
    {
      method: 'PATCH',
      path: `${tenant}/credentials/${credential}`,
      toBody: (text: string) => ({ description: text }),
      field: 'description',
    },
  ];
  let lost = 0;
  let refused = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { method, path, toBody, field } = resources[round % resources.length] as (typeof resources)[number];
    const haveAllRead = createBarrier(EDITORS);
    const edit = async (editor: number): Promise<string | undefined> => {
      const text = `${round}-${editor}`;
      const read = await quickAsk('GET', path, { key: operatorKey });
      // In the first round all have read before one writes, so that all but one must be rejected.
      if (round === 0) await haveAllRead();
      const headers = { 'if-match': String(read.headers.get('etag')) };
      const { status, body } = await quickAsk(method, path, { key: operatorKey, headers, body: toBody(text) });
      if (status === 412) refused += 1;
      else if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
      return status === 200 ? `${read.body[field]} → ${text}` : undefined;
    };
    const begin = (await quickAsk('GET', path, { key: operatorKey })).body[field];
    const edits = (await Promise.all(Array.from({ length: EDITORS }, (_, editor) => edit(editor)))).filter(
      (each) => each !== undefined,
    );
    const end = (await quickAsk('GET', path, { key: operatorKey })).body[field];
    // Every accepted edit is based on the previous one, so together they form one chain.
    let at = begin;
    for (const _ of edits) at = edits.find((each) => each.startsWith(`${at} → `))?.split(' → ')[1] ?? 'lost';
    if (at !== end || edits.length === 0) lost += 1;
  }
  t.comment(`${ROUNDS} rounds × ${EDITORS} editors: ${refused} rejected, ${lost} lost`);
  t.equal(lost, 0);
  t.ok(refused >= EDITORS - 1, `${refused} edits were rejected`);
});
