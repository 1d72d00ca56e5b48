import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { crc32 } from 'node:zlib';
import t, { type Test } from 'tap';
import { mayCall, type OperationId, POLICY } from '../../src/http/policy.js';
import { isSharedOutcome, type Operation, OWNERS, type Parameter } from '../helpers/contract.js';
import { AUDIENCE, ISSUER } from '../helpers/host.js';
import {
  type Ask,
  FIRST_PUT,
  makeTenant,
  startTestService,
  syncTenant,
  type TestResponse,
} from '../helpers/service.js';
import { PATIENCE_MS } from '../helpers/until.js';

/** Behavior that all operations share. `ask` checks every response against the OpenAPI document. */

const service = await startTestService(t, { hasLine: true });
const { ask, newId, contract, simulator } = service;
const { demo } = simulator;

interface Owned {
  readonly tenantId: string;
  readonly adminKey: string;
  /** One object of each collection, by the name of the collection in the path. */
  readonly ids: Readonly<Record<string, string>>;
}

let conflicts = 0;

async function makeOwned(): Promise<Owned> {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const tenant = `/v1/tenants/${tenantId}`;
  await syncTenant(service, tenantId);
  // A manual company with a license of a vendor that already has a company: a conflict.
  conflicts += 1;
  const number = `99000000${conflicts}`;
  await ask('POST', `${tenant}/companies`, { body: { name: 'Manual', license_numbers: [number] } });
  simulator.control.addSite({ ubi: demo.ubi, location: number, name: 'NEW' });
  const run = await syncTenant(service, tenantId, { refresh: 'force' });
  const [{ license_number }] = (await ask('GET', `${tenant}/available-licenses`)).body.data;
  const license = await ask('POST', `${tenant}/licenses`, { body: { license_number, create_companies: false } });
  const admin = await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } });
  await ask('PUT', `${tenant}/users/${USER_ID}`, { body: { active: true }, headers: FIRST_PUT });
  const spare = await ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } });
  return {
    tenantId,
    adminKey: admin.body.secret,
    ids: {
      'api-keys': spare.body.id,
      credentials: (await ask('GET', `${tenant}/credentials`)).body.data[0].id,
      licenses: license.body.id,
      syncs: run.id,
      companies: (await ask('GET', `${tenant}/companies?page[size]=1`)).body.data[0].id,
      conflicts: (await ask('GET', `${tenant}/conflicts`)).body.data[0].id,
    },
  };
}

/** A user that exists in both tenants. */
const USER_ID = 'user-1';

/** Sent now, because it takes until the server's header timeout. */
const HEADERS_TIMEOUT_MS = 20_000;
const unfinished = sendRaw('GET /livez HTTP/1.1\r\nHost: x\r\n', HEADERS_TIMEOUT_MS);

const ours = await makeOwned();
const theirs = await makeOwned();

/** A valid request of each operation. Add new operations here. */
const VALID: Readonly<Record<OperationId, Ask>> = {
  getLivez: {},
  getReadyz: {},
  listStates: {},
  createApiKey: { body: { description: 'x', role: 'operator' } },
  listApiKeys: {},
  deleteApiKey: {},
  rotateApiKey: { body: { overlap_seconds: 60 } },
  getMe: {},
  listTenants: {},
  putTenant: { body: { name: 'Test', state: 'NM', environment: 'production' }, headers: { 'if-match': '"99"' } },
  getTenant: {},
  deleteTenant: { headers: { 'if-match': '"99"' } },
  getSetup: {},
  getOverview: {},
  getConfiguration: {},
  putConfiguration: { body: { ubi: demo.ubi }, headers: { 'if-match': '"99"' } },
  getUbi: {},
  putUbi: { body: { ubi: demo.ubi }, headers: { 'if-match': '"99"' } },
  getCompanyCreationPreference: {},
  putCompanyCreationPreference: { body: { strategy: 'one_per_vendor' }, headers: { 'if-match': '"99"' } },
  createCredential: {
    body: { description: 'x', username: 'x', password: 'x', owner: 'company', verify: 'skip' },
  },
  listCredentials: {},
  getCredential: {},
  updateCredential: { body: { description: 'y' }, headers: { 'if-match': '"99"' } },
  deleteCredential: { headers: { 'if-match': '"99"' } },
  verifyCredential: { body: { force: false } },
  listCredentialCoverage: {},
  getUser: {},
  putUser: { body: { active: true }, headers: { 'if-match': '"99"' } },
  deleteUser: { headers: { 'if-match': '"99"' } },
  listAvailableLicenses: {},
  createLicense: { body: { license_number: '000', create_companies: false } },
  createLicenses: { body: { licenses: [{ license_number: '000', create_companies: false }] } },
  listLicenses: {},
  getLicense: {},
  updateLicense: { body: { active: true }, headers: { 'if-match': '"99"' } },
  archiveLicense: { headers: { 'if-match': '"99"' } },
  startSync: { body: { refresh: 'auto' } },
  listSyncs: {},
  getSync: {},
  cancelSync: {},
  createEventTicket: {},
  listSyncEvents: {},
  getSchedule: {},
  resumeSchedule: {},
  listCompanies: {},
  getCompany: {},
  createCompany: { body: { name: 'x' } },
  updateCompany: { body: { relationship_type: 'customer' }, headers: { 'if-match': '"99"' } },
  getCompanyExplanation: {},
  getCompanyHistory: {},
  getSyncPlan: {},
  confirmSync: {},
  dismissSync: {},
  listConflicts: {},
  resolveConflict: { body: { decision: 'keep_apart' } },
  previewCompanyCreationPreference: { body: { strategy: 'one_per_vendor' } },
  getCompanyCreationPreferenceAdvice: {},
  listChanges: {},
};

const validOf = ({ id }: Operation): Ask => VALID[id as OperationId];
const hasParameter = ({ parameters }: Operation, name: string): boolean =>
  parameters.some((parameter) => parameter.in === 'path' && parameter.name === name);

/** The path of an operation for a tenant, with the given id or the id of one of its objects. */
function toPath(operation: Operation, { tenantId, ids }: Pick<Owned, 'tenantId' | 'ids'>, id?: string): string {
  const list = /\/([a-z-]+)\/\{id\}/.exec(operation.path)?.[1] ?? '';
  return operation.path
    .replace('{tenant_id}', tenantId)
    .replace('{user_id}', id ?? USER_ID)
    .replace('{id}', id ?? ids[list] ?? newId());
}

const guarded = contract.operations.filter(({ needsKey }) => needsKey);
const ofTenant = guarded.filter((operation) => hasParameter(operation, 'tenant_id'));
const withBody = contract.operations.filter(({ body }) => body !== undefined);

/** Without the parts that differ in every response. */
const comparable = ({ status, body }: TestResponse): unknown => ({ status, body: { ...body, request_id: '' } });
const pointers = ({ body }: TestResponse): string[] =>
  (body?.errors ?? []).map(({ pointer }: { pointer: string }) => pointer);

/** The status and code of the response, or how it violates the document. */
async function outcomeOf(method: string, path: string, options: Ask): Promise<string> {
  try {
    const { status, body } = await ask(method, path, options);
    return status < 400 ? `${status}` : `${status} ${body?.code}`;
  } catch (error) {
    return `undocumented: ${
      String(error)
        .replace(/^.*? → /s, '')
        .split('\n')[0]
    }`;
  }
}

t.test('the document matches the policy, and each operation has a test file', async (t) => {
  const documented = contract.operations.map(({ id }) => id).sort();
  t.strictSame(documented, Object.keys(POLICY).sort(), 'documents exactly the operations of the policy');
  t.strictSame(documented, Object.keys(VALID).sort());
  t.strictSame(documented, Object.values(OWNERS).flat().sort(), 'each has one test file');
  t.strictSame(
    contract.operations
      .filter(({ needsKey }) => !needsKey)
      .map(({ id }) => id)
      .sort(),
    Object.entries(POLICY)
      .flatMap(([id, roles]) => (roles === 'public' ? id : []))
      .sort(),
    'only public operations require no key',
  );
  const folder = new URL('./', import.meta.url);
  const present = await readdir(folder);
  for (const name of Object.keys(OWNERS)) {
    t.ok(present.includes(name), `${name} exists`);
    const text = await readFile(new URL(name, folder), 'utf8');
    t.ok(
      text.includes(`contract.listUnseen(OWNERS['${name}'], isOwnOutcome)`),
      `${name} checks that it saw all documented responses`,
    );
  }
});

t.test('401: missing and invalid credentials', async (t) => {
  for (const operation of guarded) {
    const path = toPath(operation, ours);
    const keys: Record<string, Ask> = {
      none: { key: null },
      unknown: { key: `btk_${'A'.repeat(43)}` },
      foreign: { key: 'eyJhbGciOiJub25lIn0.e30.' },
      'cut short': { key: service.operatorKey.slice(0, -1) },
      'with more': { key: `${service.operatorKey}A` },
      basic: { key: null, headers: { authorization: `Basic ${service.operatorKey}` } },
      empty: { key: null, headers: { authorization: 'Bearer ' } },
      'two of them': { key: null, headers: { authorization: `Bearer ${service.operatorKey} ${service.operatorKey}` } },
    };
    const answers = await Promise.all(
      Object.values(keys).map((given) =>
        ask(operation.method, path, {
          ...validOf(operation),
          ...given,
          headers: { ...validOf(operation).headers, ...given.headers },
        }),
      ),
    );
    t.strictSame(
      answers.map(({ status, body }) => `${status} ${body.code}`),
      answers.map(() => '401 unauthenticated'),
      `${operation.id}: ${Object.keys(keys).join(', ')}`,
    );
    const unsigned = await ask(operation.method, path, { key: null, ...(operation.body ? { rawBody: '{' } : {}) });
    t.equal(unsigned.status, 401, `${operation.id}: before the body is parsed`);
  }
});

t.test('403: matches the policy for every role', async (t) => {
  const seen: Record<string, Record<string, boolean>> = Object.fromEntries(guarded.map((each) => [each.id, {}]));
  const tryAll = async (role: 'operator' | 'admin' | 'user', key: string): Promise<void> => {
    for (const operation of guarded) {
      // With a missing object, so that allowed calls change nothing.
      const path = toPath(operation, ours, newId());
      const { body: _body, ...rest } = validOf(operation);
      const { status } = await ask(operation.method, path, { ...rest, key });
      Object.assign(seen[operation.id] ?? {}, { [role]: status === 401 ? undefined : status !== 403 });
    }
  };
  await tryAll('operator', service.operatorKey);
  await tryAll('admin', ours.adminKey);
  await tryAll('user', service.tokenOf({ tenantId: ours.tenantId, role: 'user' }));
  for (const operation of guarded) {
    const wanted = Object.fromEntries(
      (['operator', 'admin', 'user'] as const).map((role) => [role, mayCall(operation.id as OperationId, role)]),
    );
    t.strictSame(seen[operation.id], wanted, operation.id);
  }
  for (const operation of contract.operations.filter(({ needsKey }) => !needsKey)) {
    t.equal((await ask(operation.method, operation.path, { key: null })).status, 200, `${operation.id} is public`);
  }
});

t.test('404: missing objects and objects of other tenants are indistinguishable', async (t) => {
  for (const operation of ofTenant) {
    const valid = validOf(operation);
    const nowhere = { tenantId: newId(), ids: ours.ids };
    if (operation.id !== 'putTenant') {
      const unknown = await ask(operation.method, toPath(operation, nowhere), valid);
      t.match(
        { status: unknown.status, code: unknown.body?.code },
        { status: 404, code: 'not_found' },
        `${operation.id}: no such tenant`,
      );
    }
    if (mayCall(operation.id as OperationId, 'admin')) {
      const own = await ask(operation.method, toPath(operation, ours, newId()), { ...valid, key: ours.adminKey });
      t.notMatch(
        comparable(own),
        { body: { detail: 'The tenant does not exist, or the caller cannot access it.' } },
        `${operation.id}: its own tenant exists`,
      );
      const foreign = await ask(operation.method, toPath(operation, theirs), { ...valid, key: ours.adminKey });
      const absent = await ask(operation.method, toPath(operation, nowhere), { ...valid, key: ours.adminKey });
      t.equal(foreign.status, 404);
      t.strictSame(comparable(foreign), comparable(absent), `${operation.id}: another tenant looks missing`);
      const broken = await ask(operation.method, toPath(operation, theirs), {
        key: ours.adminKey,
        ...(operation.body === undefined ? {} : { rawBody: '{' }),
      });
      t.equal(broken.status, 404, `${operation.id}: before the body is parsed`);
    }
  }
  for (const operation of guarded.filter((each) => hasParameter(each, 'id'))) {
    const valid = validOf(operation);
    const absent = await ask(operation.method, toPath(operation, ours, newId()), valid);
    t.match(comparable(absent), { status: 404, body: { code: 'not_found' } }, `${operation.id}: no such object`);
    if (!hasParameter(operation, 'tenant_id')) continue;
    const foreign = await ask(operation.method, toPath(operation, { ...theirs, tenantId: ours.tenantId }), valid);
    t.strictSame(comparable(foreign), comparable(absent), `${operation.id}: another tenant's object looks missing`);
    const own = await ask(operation.method, toPath(operation, ours), valid);
    t.not(own.status, 404, `${operation.id}: its own object exists`);
  }
});

t.test('404: no such path', async (t) => {
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v2/tenants'],
    ['GET', '/v1/tenants/'],
    ['GET', '/v1//tenants'],
    ['GET', '/V1/tenants'],
    ['GET', '/v1/tenants/../../etc/passwd'],
    ['GET', '/.env'],
    ['OPTIONS', '/v1/nothing'],
  ] as const) {
    const { status, body } = await ask(method, path);
    t.ok([400, 404].includes(status), `${method} ${path} is ${status} ${body.code}`);
  }
});

t.test('405: unsupported methods, HEAD and OPTIONS', async (t) => {
  for (const path of new Set(contract.operations.map((operation) => operation.path))) {
    const operations = contract.operations.filter((operation) => operation.path === path);
    const [first] = operations as [Operation];
    const target = toPath(first, ours);
    const supported = operations.map(({ method }) => method);
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'].filter((each) => !supported.includes(each))) {
      for (const more of [{}, { key: null }, { body: { x: 1 } }].filter(
        (each) => method !== 'GET' || !('body' in each),
      )) {
        const rejected = await ask(method, target, more);
        t.match(comparable(rejected), { status: 405, body: { code: 'method_not_allowed' } }, `${method} ${path}`);
      }
    }
    const options = await ask('OPTIONS', target, { key: null });
    const allowed = [...supported, ...(supported.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
    t.match(
      { status: options.status, allow: options.headers.get('allow'), body: options.body },
      { status: 204, allow: allowed, body: undefined },
      `OPTIONS ${path}`,
    );
    if (!supported.includes('GET')) continue;
    const [head, get] = [await ask('HEAD', target), await ask('GET', target)];
    t.equal(head.status, get.status, `HEAD ${path} is ${get.status}`);
    t.equal(head.headers.get('content-type'), get.headers.get('content-type'), 'with the headers of a GET');
    if (first.needsKey) t.equal((await ask('HEAD', target, { key: null })).status, 401, 'and requires a key');
  }
});

t.test('429: requests are limited per caller', async (t) => {
  const beside = await startTestService(t, { beside: service, role: 'api', rateLimits: { perMinute: 2 } });
  for (const left of [1, 0]) {
    const { status, headers } = await beside.ask('GET', '/v1/states', { key: ours.adminKey });
    t.equal(status, 200);
    t.equal(headers.get('ratelimit-policy'), '"caller";q=2;w=60');
    t.match(headers.get('ratelimit'), new RegExp(`^"caller";r=${left};t=(60|[1-5]?\\d)$`));
  }
  for (const operation of guarded) {
    const path = toPath(operation, ours);
    const answer = await beside.ask(operation.method, path, { ...validOf(operation), key: ours.adminKey });
    t.match(comparable(answer), { status: 429, body: { code: 'rate_limited' } }, operation.id);
    t.match(answer.headers.get('ratelimit'), /^"caller";r=0;t=\d+$/);
    contract.check(operation.method, path, answer, false);
  }
  t.equal((await beside.ask('GET', '/v1/states')).status, 200, 'another caller is not limited');
  const users = ['a', 'b', 'c'].map((userId) => service.tokenOf({ tenantId: ours.tenantId, role: 'user', userId }));
  for (const key of users)
    t.equal((await beside.ask('GET', '/v1/states', { key })).status, 200, 'users are counted separately');
  const [first] = users;
  for (const key of [first, first]) await beside.ask('GET', '/v1/states', { key: key as string });
  const namesake = service.tokenOf({ tenantId: service.newId(), role: 'user', userId: 'a' });
  t.equal((await beside.ask('GET', '/v1/states', { key: namesake })).status, 200, 'users of another tenant, too');
  for (let index = 0; index < 5; index += 1)
    t.equal((await beside.ask('GET', '/livez', { key: null })).status, 200, 'public operations are not limited');
});

t.test('400: parameters in the URL', async (t) => {
  for (const operation of contract.operations) {
    const path = toPath(operation, ours, newId());
    const valid = validOf(operation);
    const surprised = await ask(operation.method, `${path}?surprise=1`, valid);
    t.match(
      comparable(surprised),
      { status: 400, body: { code: 'invalid_request' } },
      `${operation.id}: an unknown parameter`,
    );
    t.strictSame(pointers(surprised), ['?surprise'], 'is named');
    for (const query of [
      '__proto__=1',
      'constructor=1',
      '%00=1',
      '%zz',
      '%ff=%fe',
      '=',
      '[]=1',
      'page[size]=1&page[size]=2',
      'a[b][c]=1',
    ]) {
      const { status } = await ask(operation.method, `${path}?${query}`, valid);
      t.ok(status === 400 || (query === '=' && status < 500), `${operation.id}?${query} is ${status}`);
    }
    for (const parameter of operation.parameters) {
      if (parameter.in === 'query') await checkQuery(t, operation, path, parameter);
      if (parameter.in === 'path') await checkId(t, operation, parameter);
    }
  }
});

async function checkQuery(t: Test, operation: Operation, path: string, { name, schema }: Parameter): Promise<void> {
  const limit = Number(schema.maxLength ?? 0);
  const wrong = [
    '%00',
    'a%00b',
    ...(limit > 0 ? ['x'.repeat(limit + 1)] : []),
    ...(schema.type === 'integer'
      ? [
          '',
          'x',
          '1.5',
          '99999999999999999999',
          '1x',
          'NaN',
          `${Number(schema.minimum) - 1}`,
          `${Number(schema.maximum) + 1}`,
        ]
      : []),
    ...(schema.enum === undefined ? [] : ['', 'nonsense', 'toString']),
    ...(Number(schema.minLength ?? 0) > 0 ? [''] : []),
  ];
  for (const value of wrong) {
    const answer = await ask(operation.method, `${path}?${encodeURIComponent(name)}=${value}`, validOf(operation));
    t.equal(answer.status, 400, `${operation.id}?${name}=${value.slice(0, 20)}`);
    t.strictSame(
      pointers(answer),
      pointers(answer).map(() => `?${name}`),
      'is named',
    );
    t.ok(pointers(answer).length > 0);
  }
}

async function checkId(t: Test, operation: Operation, { name }: Parameter): Promise<void> {
  // Any single line of text is a valid user id.
  if (name === 'user_id') return;
  const uuid = ours.tenantId;
  for (const value of [
    'none',
    '1',
    '%20',
    '%00',
    `${uuid}%00`,
    `urn:uuid:${uuid}`,
    uuid.replaceAll('-', ''),
    `{${uuid}}`,
    `${uuid}%0A`,
    `%2e%2e%2f${uuid}`,
    "'%20or%20'1'='1",
    '%f0%9f%8c%bf',
    '%ff%fe',
    '%zz',
    'x'.repeat(190),
  ]) {
    const path = toPath(operation, ours, newId()).replace(
      name === 'id' ? /[^/]+(?=\/verify$|$)/ : ours.tenantId,
      value,
    );
    const target =
      name === 'id' && !path.includes(value)
        ? operation.path.replace('{tenant_id}', uuid).replace('{id}', value)
        : path;
    const outcome = await outcomeOf(operation.method, target, validOf(operation));
    // Both are fine for a malformed id.
    t.ok(
      ['400 invalid_request', '404 not_found'].includes(outcome),
      `${operation.id} with ${name} ${value.slice(0, 20)}: ${outcome}`,
    );
  }
}

t.test('400: fields of the body', async (t) => {
  for (const operation of withBody) {
    const path = toPath(operation, ours, newId());
    const { headers, body: valid } = validOf(operation);
    const fields = valid as Record<string, unknown>;
    const schema = operation.body as unknown as BodySchema;
    const send = (body: unknown): Promise<TestResponse> => ask(operation.method, path, { headers, body });
    const expectRejected = async (body: unknown, pointer: string, what: string): Promise<void> => {
      const answer = await send(body);
      t.match(comparable(answer), { status: 400, body: { code: 'invalid_request' } }, `${operation.id}: ${what}`);
      const isAtPointer = (each: string): boolean => each === pointer || each.startsWith(`${pointer}/`);
      t.ok(pointers(answer).some(isAtPointer), `${pointer} in ${pointers(answer)}`);
    };
    await expectRejected({ ...fields, surprise: 1 }, '/surprise', 'an unknown field');
    await expectRejected({ ...fields, 'a/b~c': 1 }, '/a~1b~0c', 'an unknown field, as a JSON pointer');
    await expectRejected({ ...fields, tenant_id2: ours.tenantId, version: 9 }, '/version', 'an internal field');
    for (const body of [[], [fields], 'text', 7, true, null])
      await expectRejected(body, '/', JSON.stringify(body).slice(0, 20));
    for (const name of schema.required ?? [])
      await expectRejected({ ...fields, [name]: undefined }, `/${name}`, `without ${name}`);
    for (const [name, property] of Object.entries(schema.properties)) {
      for (const value of toWrongValues(property)) {
        const what = `${name} = ${JSON.stringify(value).slice(0, 30)}`;
        await expectRejected({ ...fields, [name]: value }, `/${name}`, what);
      }
    }
  }
});

interface BodySchema {
  readonly required?: readonly string[];
  readonly properties: Readonly<Record<string, PropertySchema>>;
}

interface PropertySchema {
  /** A list for nullable fields. */
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly maxLength?: number;
  readonly maxItems?: number;
  /** For nullable objects. */
  readonly anyOf?: readonly PropertySchema[];
}

/** Values that each kind of field must reject. */
function toWrongValues({ type: types, enum: values, maxLength, maxItems, anyOf = [] }: PropertySchema): unknown[] {
  const every = [types ?? anyOf.map(({ type }) => type)].flat(2);
  const [type] = every.filter((each) => each !== 'null');
  const isNullable = every.includes('null');
  const common = [...(isNullable ? [] : [null]), [], {}, ['x'], { $gt: '' }];
  if (type === 'boolean') return [...common, 'true', 'false', 0, 1, ''];
  if (type === 'object') return [[], ['x'], 'x', 0, true];
  if (type === 'array')
    return [{}, 'x', 0, true, [1], [{}], [null], [[]], Array.from({ length: Number(maxItems) + 1 }, () => ({}))];
  if (type === 'integer') return [...common, '1', 1.5, -1, true, ''];
  if (type !== 'string') throw new Error(`no wrong values are known for ${type}`);
  const texts = ['', 'a\u0000b', '\u0000', '\ud800', 'a\udfffb', '\udc00\ud800'];
  return [
    ...common,
    0,
    42,
    true,
    ...texts,
    ...(values === undefined ? [] : ['nonsense', (values[0] ?? '').toUpperCase()]),
    ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)]),
  ];
}

t.test('400: invalid JSON', async (t) => {
  for (const operation of withBody) {
    const path = toPath(operation, ours, newId());
    const { headers, body: valid } = validOf(operation);
    const text = JSON.stringify(valid);
    const open = text === '{}' ? '{' : `${text.slice(0, -1)},`;
    const [name = 'refresh', value = 'auto'] = Object.entries(valid as Record<string, unknown>)[0] ?? [];
    const pair = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
    const deep = 2_000;
    const broken: Record<string, string | Buffer> = {
      'cut short': text.slice(0, -1),
      'a blank': ' ',
      'two documents': `${text}${text}`,
      'single quotes': text.replaceAll('"', "'").concat("'"),
      'a trailing comma': `${open}}`,
      'a comment': `${text}// end`,
      NaN: `${open}"x":NaN}`,
      'invalid UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
      'UTF-16': Buffer.from(text, 'utf16le'),
      'a raw NUL': `${open}"x":"\u0000"}`,
      __proto__: `${open}"__proto__":{"admin":true}}`,
      '__proto__ in disguise': `${open}"__proto\\u005f_":{"admin":true}}`,
      constructor: `${open}"constructor":{"prototype":{"admin":true}}}`,
      'a key twice': `{${pair},${pair}}`,
      'a key twice, in disguise': `{${pair},${pair.replace(name, `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`)}}`,
      'too deep': `${open}"x":${'['.repeat(deep)}${']'.repeat(deep)}}`,
      'too deep in objects': `${'{"x":'.repeat(deep)}1${'}'.repeat(deep)}`,
    };
    for (const [what, rawBody] of Object.entries(broken)) {
      const answer = await ask(operation.method, path, { headers, rawBody });
      t.equal(answer.status, 400, `${operation.id}: ${what} is ${answer.status} ${answer.body?.code}`);
    }
    t.match(await ask(operation.method, path, { headers, rawBody: '{' }), {
      status: 400,
      body: { code: 'malformed_json' },
    });
    const huge = await ask(operation.method, path, { headers, rawBody: `${open}"x":1e999}` });
    t.equal(huge.status, 400, `${operation.id}: a number out of range`);
  }
  const polluted: Record<string, unknown> = {};
  t.equal(polluted.admin, undefined, 'Object.prototype is not polluted');
});

t.test('413: bodies that are too large', async (t) => {
  for (const operation of withBody) {
    const path = toPath(operation, ours, newId());
    const { headers } = validOf(operation);
    for (const bytes of [operation.bodyLimit + 1, 10 * 1024 * 1024]) {
      const answer = await ask(operation.method, path, { headers, rawBody: `{"x":"${'x'.repeat(bytes - 8)}"}` });
      t.match(
        comparable(answer),
        { status: 413, body: { code: 'payload_too_large' } },
        `${operation.id}: ${bytes} bytes`,
      );
    }
    const fits = await ask(operation.method, path, {
      headers,
      rawBody: `{"x":"${'x'.repeat(operation.bodyLimit - 8)}"}`,
    });
    t.equal(fits.status, 400, `${operation.id}: ${operation.bodyLimit} bytes are accepted`);
  }
  const endless = await sendChunked(`/v1/tenants/${ours.tenantId}/syncs`, 10 * 1024 * 1024);
  t.match(endless, /^HTTP\/1\.1 413 /, 'without Content-Length');
});

t.test('415: unsupported media types', async (t) => {
  for (const operation of withBody) {
    const path = toPath(operation, ours, newId());
    const { headers, body } = validOf(operation);
    const text = JSON.stringify(body);
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json',
      'application/octet-stream',
      'nonsense',
    ]) {
      const answer = await ask(operation.method, path, {
        headers: { ...headers, 'content-type': type },
        rawBody: text,
      });
      t.match(
        comparable(answer),
        { status: 415, body: { code: 'unsupported_media_type' } },
        `${operation.id}: ${type}`,
      );
    }
    const charset = await ask(operation.method, path, {
      headers: { ...headers, 'content-type': 'application/json; charset=utf-8' },
      rawBody: text,
    });
    t.not(charset.status, 415, `${operation.id}: a charset is allowed`);
  }
});

t.test('a body for an operation without one', async (t) => {
  for (const operation of contract.operations.filter(({ method, body }) => body === undefined && method !== 'GET')) {
    const path = toPath(operation, ours, newId());
    const { headers } = validOf(operation);
    for (const [type, rawBody] of [
      ['application/json', '{}'],
      ['application/json', '{'],
      ['application/json', '{"__proto__":1}'],
      ['text/plain', 'hello'],
      ['application/xml', '<a/>'],
      ['application/json', `"${'x'.repeat(100 * 1024)}"`],
    ] as const) {
      const outcome = await outcomeOf(operation.method, path, {
        headers: { ...headers, 'content-type': type },
        rawBody,
      });
      // May be ignored or rejected, as documented.
      t.notMatch(outcome, /undocumented/, `${operation.id}: ${type} ${rawBody.slice(0, 20)}: ${outcome}`);
    }
  }
});

t.test('414: URLs that are too long', async (t) => {
  for (const operation of contract.operations) {
    const path = toPath(operation, ours, newId());
    const outcome = await outcomeOf(operation.method, `${path}?surprise=${'x'.repeat(9_000)}`, validOf(operation));
    t.equal(outcome, '414 uri_too_long', `${operation.id}: a URL of 9,000 characters`);
    for (const name of ['tenant_id', 'id'].filter((each) => hasParameter(operation, each))) {
      const target = operation.path
        .replace(`{${name}}`, 'x'.repeat(500))
        .replace('{tenant_id}', ours.tenantId)
        .replace('{user_id}', USER_ID)
        .replace('{id}', newId());
      t.equal(
        await outcomeOf(operation.method, target, validOf(operation)),
        '414 uri_too_long',
        `${operation.id}: a long ${name}`,
      );
    }
  }
});

t.test('invalid HTTP is answered with a 4xx, and the server keeps serving', async (t) => {
  const requests = {
    nonsense: 'HELLO\r\n\r\n',
    'a URL above the header limit': `GET /v1/states?x=${'x'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a header above the header limit': `GET /v1/states HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    'two lengths': 'POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x',
    'length and chunks':
      'POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a NUL in a header': 'GET /v1/states HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n',
    'a bare line feed': 'GET /v1/states HTTP/1.1\nHost: x\nX : y\n\n',
  };
  for (const [what, request] of Object.entries(requests)) {
    const text = await sendRaw(request);
    t.match(text, /^HTTP\/1\.1 4\d\d /, `${what}: ${text.split('\r\n')[0]}`);
    t.notMatch(text, /\bat .*\.(js|ts):\d+/, 'no stack');
    if (text.includes('problem+json')) {
      t.match(text, /\r\nX-Request-Id: [0-9a-f-]{36}\r\n/i);
      t.match(text, /\r\nCache-Control: no-store\r\n/i);
      const problem = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
      t.match(text, new RegExp(`^HTTP/1.1 ${problem.status} `), 'the problem has the same status');
      t.equal(problem.type, `urn:biotrack-connect:problem:${problem.code}`);
    }
    t.equal((await ask('GET', '/livez', { key: null })).status, 200);
  }
});

t.test('408: a request that never ends', async (t) => {
  const text = await unfinished;
  t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/, `after ${HEADERS_TIMEOUT_MS} ms at most`);
  t.match(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)), { status: 408, code: 'request_timeout' });
});

t.test('304: an unchanged response', async (t) => {
  const reads = contract.operations.filter(({ outcomes }) => outcomes.includes('304'));
  const others = contract.operations.filter(({ method, outcomes }) => method === 'GET' && !outcomes.includes('304'));
  t.strictSame(
    others.map(({ id }) => id),
    ['getLivez', 'getReadyz', 'listSyncEvents'],
    'only probes and streams have no ETag',
  );
  for (const operation of reads) {
    const path = toPath(operation, ours);
    const { headers, body } = await ask('GET', path);
    const etag = headers.get('etag') ?? '';
    const version = body.etag === undefined ? '' : `${body.etag.slice(1, -1)}-`;
    t.match(etag, new RegExp(`^"${version}[\\w-]{22}"$`), operation.id);
    const poll = (header: string) => ask('GET', path, { headers: { 'if-none-match': header } });
    t.equal((await poll('*')).status, 304);
    // Their responses have the age of the list in seconds.
    if (['listAvailableLicenses', 'getOverview'].includes(operation.id)) continue;
    t.match(await poll(etag), { status: 304, body: undefined });
    t.equal((await poll(`"x", W/${etag}`)).status, 304, 'weak comparison with several ETags');
    t.equal((await ask('HEAD', path)).headers.get('etag'), etag);
    t.equal((await poll('"x"')).status, 200, 'an ETag of another response');
  }
});

t.test('headers', async (t) => {
  const given = await ask('GET', '/v1/states', { headers: { 'x-request-id': 'my-request.1' } });
  t.equal(given.headers.get('x-request-id'), 'my-request.1', 'the request id is echoed');
  for (const id of ['', 'a b', 'x'.repeat(129), '<script>', 'ü'.normalize('NFC').charCodeAt(0).toString().repeat(50)]) {
    const made = await ask('GET', '/v1/states', { headers: { 'x-request-id': id } });
    t.match(made.headers.get('x-request-id'), /^[0-9a-f-]{36}$/, `and replaced if it is ${id.slice(0, 10)}`);
  }
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await ask('GET', '/v1/states', { headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` } });
  t.match(service.logged(), `"trace.id":"${trace}","trace.parent_id":"b7ad6b7169203331"`, 'the trace is in the log');
  for (const traceparent of [
    '',
    'x',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `ff-${trace}-b7ad6b7169203331-01`,
    `00-${trace}-1-01"`,
  ])
    t.equal(
      (await ask('GET', '/v1/states', { headers: { traceparent } })).status,
      200,
      'an invalid traceparent is ignored',
    );
  const missing = await ask('GET', '/v1/nothing', { headers: { 'x-request-id': 'seen-in-the-log' } });
  t.equal(missing.body.request_id, 'seen-in-the-log');
  t.match(service.logged(), /"request\.id":"seen-in-the-log"/);
  t.equal(given.headers.get('x-content-type-options'), 'nosniff');
  t.equal(given.headers.get('x-powered-by'), null);
});

/** Well-formed but unknown, so that it has to be looked up; known keys are cached for some seconds. */
/** With a right checksum, so that it is looked up. */
const UNKNOWN_KEY = `btk_${'x'.repeat(43)}_${crc32('x'.repeat(43)).toString(16).padStart(8, '0')}`;

t.test('500: internal errors reveal no internals', async (t) => {
  await service.sql('alter table api_keys rename to hidden_keys');
  try {
    for (const operation of guarded) {
      const answer = await ask(operation.method, toPath(operation, ours), {
        ...validOf(operation),
        key: UNKNOWN_KEY,
        expectsInternal: true,
      });
      t.match(comparable(answer), { status: 500, body: { code: 'internal' } }, operation.id);
      t.notMatch(JSON.stringify(answer.body), /api_keys|relation|select|\.ts|\.js|42P01/i, 'no SQL, no stack');
    }
  } finally {
    await service.sql('alter table hidden_keys rename to api_keys');
  }
  t.match(service.logged(), /relation \\"api_keys\\" does not exist/, 'the log has the cause');
  t.equal((await ask('GET', '/v1/states')).status, 200);
});

t.test('409 and 422: an Idempotency-Key in use', async (t) => {
  for (const operation of contract.operations.filter(({ method }) => method === 'POST')) {
    const key = `key-of-${operation.id}`;
    const path = toPath(operation, ours, newId());
    const options = { ...validOf(operation), headers: { ...validOf(operation).headers, 'idempotency-key': key } };
    const outcomeAfter = async (change: string): Promise<string> => {
      await service.sql(`update idempotency_keys set ${change} where key = $1`, [key]);
      return outcomeOf(operation.method, path, options);
    };
    const first = await outcomeOf(operation.method, path, options);
    t.equal(await outcomeAfter('has_effect = true'), first, `${operation.id}: ${first}, and again`);
    const inProgress = `sealed_answer = null, leased_until_datetime = now() + interval '1 hour'`;
    t.equal(await outcomeAfter(inProgress), '409 idempotency_in_progress', operation.id);
    t.equal(await outcomeAfter('leased_until_datetime = now()'), '409 outcome_unknown', operation.id);
    const other = `request_mac = decode(repeat('00', 32), 'hex')`;
    t.equal(await outcomeAfter(other), '422 idempotency_key_reused', operation.id);
  }
});

/** Answer the requests of this file before they lock the tenant. */
const ANSWERED_UNLOCKED: readonly OperationId[] = [
  'putTenant',
  'putConfiguration',
  'previewCompanyCreationPreference',
  'createCredential',
  'updateCredential',
  'cancelSync',
  'createEventTicket',
  'confirmSync',
];

t.test('409: a sync applies its plan', async (t) => {
  const applying = await service.service.db.pool.connect();
  await applying.query('begin');
  await applying.query('select from tenants where tenant_id = $1 for update', [ours.tenantId]);
  const writes = ofTenant.filter(
    ({ id, outcomes }) => outcomes.includes('409 sync_in_progress') && !ANSWERED_UNLOCKED.includes(id as OperationId),
  );
  for (const operation of writes) {
    const outcome = await outcomeOf(operation.method, toPath(operation, ours), validOf(operation));
    t.equal(outcome, '409 sync_in_progress', operation.id);
  }
  t.ok(writes.length > 15, `${writes.length} operations`);
  await applying.query('rollback');
  applying.release();
});

t.test('503: the signing keys of the host application are unavailable', async (t) => {
  const tokens = {
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: { kind: 'url', url: 'http://127.0.0.1:1/keys' },
    maxLifetimeSeconds: 86_400,
  } as const;
  const beside = await startTestService(t, { beside: service, role: 'api', tokens });
  const key = service.tokenOf({ tenantId: ours.tenantId, role: 'admin' });
  for (const operation of guarded) {
    const answer = await beside.ask(operation.method, toPath(operation, ours), { ...validOf(operation), key });
    t.match(comparable(answer), { status: 503, body: { code: 'identity_unavailable' } }, operation.id);
    t.notMatch(JSON.stringify(answer.body), /ECONN|127\.0\.0\.1|keys\b.*url/i);
    contract.check(operation.method, toPath(operation, ours), answer, false);
  }
  t.equal((await beside.ask('GET', '/v1/states')).status, 200, 'API keys still work');
});

t.test('503: the database is down, and recovers', async (t) => {
  await service.line.cut();
  for (const operation of [...guarded, contract.getOperation('getReadyz')]) {
    // listStates needs no database once the key is cached.
    const keys = ['listStates', 'getMe'].includes(operation.id) ? [UNKNOWN_KEY] : [UNKNOWN_KEY, service.operatorKey];
    for (const key of keys) {
      const answer = await ask(operation.method, toPath(operation, ours), { ...validOf(operation), key });
      t.match(comparable(answer), { status: 503, body: { code: 'storage_unavailable' } }, operation.id);
      t.notMatch(JSON.stringify(answer.body), /ECONN|127\.0\.0\.1|postgres/i);
    }
  }
  await service.line.restore();
  let status = 0;
  for (const until = Date.now() + PATIENCE_MS; status !== 200 && Date.now() < until; ) {
    status = (await ask('GET', '/v1/states')).status;
  }
  t.equal(status, 200, 'served again without a restart');
});

t.test('every documented shared response was seen for every operation', async (t) => {
  const ids = contract.operations.map(({ id }) => id);
  const unseen = contract.listUnseen(ids, ({ id, needsKey }, outcome) => {
    if (!isSharedOutcome(outcome)) return false;
    const code = outcome.split(' ')[1] ?? '';
    // Public operations cannot be made to fail without the database.
    if (code === 'internal') return needsKey;
    const operationId = id as OperationId;
    if (code === 'sync_in_progress') return !ANSWERED_UNLOCKED.includes(operationId);
    // Operations for all roles never return 403.
    return code !== 'forbidden' || (['operator', 'admin', 'user'] as const).some((role) => !mayCall(operationId, role));
  });
  t.strictSame(unseen, []);
});

/** Sends raw bytes and reads until the server closes the connection. */
function sendRaw(text: string, timeoutMs = 5_000): Promise<string> {
  const { hostname, port } = new URL(service.baseUrl);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
    socket.on('close', () => resolve(answer));
  });
}

/** Sends a chunked JSON body without Content-Length. */
function sendChunked(path: string, bytes: number): Promise<string> {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: x',
    `Authorization: Bearer ${service.operatorKey}`,
    'Content-Type: application/json',
    'Transfer-Encoding: chunked',
    'Connection: close',
  ].join('\r\n');
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  return sendRaw(`${head}\r\n\r\n1\r\n"\r\n${chunk.repeat(bytes / 65_536)}1\r\n"\r\n0\r\n\r\n`);
}
