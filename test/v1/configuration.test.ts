import fc from 'fast-check';
import t from 'tap';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import { pickCount } from '../helpers/counts.js';
import { readSeed } from '../helpers/seed.js';
import { FIRST_PUT, makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';

/** The whole setup as one document: read from one tenant, applied to others. */

const service = await startTestService(t, {
  directoryMaxAgeSeconds: 1,
  states: (environment) => ({
    NM: {
      environments: { production: environment, training: environment },
      license_types: { '1': 'Producer', '2': 'Processor', '8': 'Retailer' },
    },
  }),
});
const { ask, newId, contract, simulator, tokenOf } = service;
const { control, demo } = simulator;
const listOwn = () => control.rows({ ubi: demo.ubi }).filter(({ deleted }) => !deleted);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Difference {
  readonly path: string;
  readonly action: string;
  readonly applied: boolean;
  readonly before: unknown;
  readonly after: unknown;
}

const toPath = (tenantId: string): string => `/v1/tenants/${tenantId}/configuration`;
/** The document without its version. */
const read = async (tenantId: string) => {
  const { etag: _etag, ...document } = (await ask('GET', toPath(tenantId))).body;
  return document;
};
const etagOf = async (path: string): Promise<Record<string, string>> => ({
  'if-match': (await ask('GET', path)).headers.get('etag') ?? 'none',
});
const put = async (tenantId: string, body: unknown, query = '', options: { key?: string } = {}) =>
  ask('PUT', `${toPath(tenantId)}${query}`, { body, headers: await etagOf(toPath(tenantId)), ...options });
const toLines = ({ differences }: { differences: readonly Difference[] }): string[] =>
  differences.map(({ action, path, applied }) => `${action} ${path}${applied ? '' : ' (pending)'}`);

/** Everything that a PUT can change for a tenant. */
async function dump(tenantId: string): Promise<string> {
  const tables = ['tenants', 'ubis', 'creation_preferences', 'credentials', 'licenses', 'changes', 'sync_runs'];
  const parts = await Promise.all(
    tables.map(async (table) => {
      const rows = await service.sql<{ text: string }>(
        `select ${table}::text || xmin::text as text from ${table} where tenant_id = $1 order by 1`,
        [tenantId],
      );
      return rows.map(({ text }) => text).join('\n');
    }),
  );
  return parts.join('\n--\n');
}

/** When a login was used is not part of the setup. */
const withoutUse = (text: string): string =>
  text.replaceAll(/"?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^,)]*/g, '').replaceAll(/\)\d+$/gm, ')');

const model = await makeTenant(service, 'credential', 'one_per_vendor');

t.test('getConfiguration', async (t) => {
  const bare = await makeTenant(service, 'tenant');
  t.strictSame(await read(bare), {
    tenant: { name: 'Test', state: 'NM', environment: 'production' },
    ubi: null,
    company_creation_preference: null,
    credentials: [],
    licenses: [],
  });
  const [first, second] = listOwn();
  const tenant = `/v1/tenants/${model}`;
  const { id } = (await ask('GET', `${tenant}/credentials`)).body.data[0];
  await ask('POST', `${tenant}/licenses`, {
    body: { license_number: first?.location, credential_id: id, create_companies: false, share_with_leaflink: true },
  });
  const other = await ask('POST', `${tenant}/licenses`, {
    body: { license_number: second?.location, create_companies: false },
  });
  const user = tokenOf({ tenantId: model, role: 'user', userId: 'ada' });
  await ask('POST', `${tenant}/credentials`, {
    key: user,
    body: { description: 'mine', username: 'mine@example.com', password: 'x', owner: 'user', verify: 'skip' },
  });
  const { body, headers } = await ask('GET', toPath(model));
  t.match(body, {
    tenant: { name: 'Test', state: 'NM', environment: 'production' },
    ubi: demo.ubi,
    company_creation_preference: { strategy: 'one_per_vendor', include_labs: false },
    credentials: [{ description: 'test', username: demo.username }],
  });
  t.equal(body.licenses.length, 2);
  t.match(
    body.licenses.find(({ license_number }: { license_number: string }) => license_number === first?.location),
    { credential: demo.username, share_with_leaflink: true, create_companies: false, active: true },
  );
  t.notMatch(
    JSON.stringify(body),
    new RegExp(`${demo.password}|mine@example`),
    'no secrets and no credentials of users',
  );
  t.equal(
    (await ask('GET', toPath(model))).headers.get('etag'),
    headers.get('etag'),
    'the same ETag until something changes',
  );
  await ask('PATCH', `${tenant}/licenses/${other.body.id}`, {
    body: { notify_on_change: false },
    headers: await etagOf(`${tenant}/licenses/${other.body.id}`),
  });
  t.not((await ask('GET', toPath(model))).headers.get('etag'), headers.get('etag'), 'another ETag after a change');
  t.match(await ask('GET', toPath(model), { key: user }), { status: 200 }, 'every user of the tenant can read it');
});

t.test('putConfiguration applies the setup of one tenant to others', async (t) => {
  const document = await read(model);
  const same = await put(model, document);
  t.match(
    same,
    { status: 200, body: { applied: 0, pending: 0, differences: [], configuration: document } },
    'the exported document changes nothing',
  );

  const tenantId = await makeTenant(service, 'tenant');
  const path = toPath(tenantId);
  t.match(await ask('PUT', path, { body: document }), { status: 428, body: { code: 'precondition_required' } });
  t.match(await ask('PUT', path, { body: document, headers: { 'if-match': '"1"' } }), {
    status: 412,
    body: { code: 'precondition_failed' },
  });
  const before = await dump(tenantId);
  const etag = await etagOf(path);
  const dry = await put(tenantId, document, '?dry_run=true');
  t.match(dry, { status: 200, body: { dry_run: true, applied: 3, pending: 3 } });
  t.equal(await dump(tenantId), before, 'a dry run writes nothing');
  t.strictSame(await etagOf(path), etag);
  t.ok(
    etag['if-match']?.startsWith(`${dry.body.etag.slice(0, -1)}-`),
    'returns the version of the stored configuration',
  );
  t.strictSame(
    toLines(dry.body).sort(),
    [
      'set /ubi',
      'set /company_creation_preference/strategy',
      'set /company_creation_preference/include_labs',
      `needs_password /credentials/${demo.username} (pending)`,
      ...listOwn()
        .slice(0, 2)
        .map(({ location }) => `needs_login /licenses/${location} (pending)`),
    ].sort(),
  );
  const real = await put(tenantId, document);
  t.strictSame(real.body.differences, dry.body.differences, 'the real run applies the differences of the dry run');
  t.strictSame(real.body.configuration, dry.body.configuration);
  t.match(await read(tenantId), { ubi: demo.ubi, licenses: [], credentials: [] });
  const again = await put(tenantId, document);
  t.match(again.body, { applied: 0, pending: 3 }, 'sent again, only what needs a password remains');

  await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { description: 'office', username: demo.username, password: demo.password, owner: 'company' },
  });
  const dryEnd = await put(tenantId, document, '?dry_run=true');
  const end = await put(tenantId, document);
  t.match(end, { status: 200, body: { dry_run: false, applied: 3, pending: 0 } });
  t.strictSame(end.body.differences, dryEnd.body.differences);
  t.ok(toLines(end.body).includes(`update /credentials/${demo.username}/description`), 'the description is updated');
  t.strictSame(await read(tenantId), document, 'both tenants have the same configuration');
  t.strictSame(end.body.configuration, document);
  t.match((await put(tenantId, document)).body, { applied: 0, pending: 0, differences: [] });
  t.strictSame((await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data, [], 'no sync without create_companies');
});

t.test('putConfiguration returns each kind of difference, and nothing else', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const document = await read(model);
  await put(tenantId, { licenses: document.licenses });
  const [a, b] = document.licenses;
  const third = listOwn()[2]?.location;
  const wanted = {
    licenses: [
      {
        ...a,
        active: false,
        issue_datetime: '2025-01-31T01:00:00+01:00',
        expiry_datetime: '2026-01-31T00:00:00Z',
        credential: null,
      },
      { license_number: third, create_companies: true, name: 'New' },
    ],
  };
  const answer = await put(tenantId, wanted);
  t.strictSame(
    toLines(answer.body).sort(),
    [
      `archive /licenses/${b.license_number}`,
      `create /licenses/${third}`,
      `update /licenses/${a.license_number}/active`,
      ...(a.credential === null ? [] : [`update /licenses/${a.license_number}/credential`]),
      `update /licenses/${a.license_number}/expiry_datetime`,
      `update /licenses/${a.license_number}/issue_datetime`,
    ].sort(),
  );
  t.match(
    answer.body.differences.find(({ path }: Difference) => path.endsWith('/issue_datetime')),
    { before: null, after: '2025-01-31T00:00:00.000Z' },
  );
  const [run] = (await ask('GET', `/v1/tenants/${tenantId}/syncs`)).body.data;
  t.match(run, { trigger: 'setup_completed' }, 'a license with create_companies starts the first sync');
  await waitForRun(service, tenantId, run.id);
  t.match(
    (await put(tenantId, wanted)).body,
    { differences: [] },
    'the same time in another time zone is no difference',
  );

  const back = await put(tenantId, {
    licenses: [...wanted.licenses, { license_number: b.license_number, notify_on_change: !b.notify_on_change }],
  });
  t.strictSame(toLines(back.body), [
    `restore /licenses/${b.license_number}`,
    `update /licenses/${b.license_number}/notify_on_change`,
  ]);
  t.match(
    (await ask('GET', `/v1/tenants/${tenantId}/licenses`)).body.data.length,
    3,
    'the archived license was restored, not created again',
  );
  t.match(
    (await put(tenantId, { credentials: [] })).body,
    { applied: 0, pending: 1, differences: [{ action: 'keep' }] },
    'a document never deletes a credential',
  );
  t.match((await put(tenantId, {})).body, { differences: [] }, 'an empty document changes nothing');
  t.match((await put(tenantId, { ubi: null, company_creation_preference: null })).body, { differences: [] });
  t.match(
    (await put(tenantId, { ubi: ` ${demo.ubi}` })).body,
    { applied: 1, differences: [{ path: '/ubi' }] },
    'the UBI is stored as sent',
  );

  const operator = await put(tenantId, { tenant: { name: 'Renamed', state: 'NM', environment: 'production' } });
  t.strictSame(toLines(operator.body), ['set /tenant/name']);
  const admin = tokenOf({ tenantId, role: 'admin', userId: 'boss' });
  t.match(
    await put(tenantId, { tenant: { name: 'Mine', state: 'NM', environment: 'production' } }, '', { key: admin }),
    { status: 403, body: { code: 'forbidden' } },
  );
  t.match(
    await put(tenantId, await read(tenantId), '', { key: admin }),
    { status: 200, body: { differences: [] } },
    'an admin can send an unchanged tenant',
  );
});

t.test('putConfiguration is atomic', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const [first, second] = listOwn();
  await put(tenantId, { licenses: [{ license_number: first?.location, create_companies: false }] });
  await syncTenant(service, tenantId);
  const foreign = control.rows().find(({ ubi, location }) => ubi === '007331902' && location.trim() !== '');
  await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { description: 'second', username: 'second@example.com', password: 'x', owner: 'company', verify: 'skip' },
  });
  const row = { license_number: first?.location };
  const bad: readonly [string, number, string, string | undefined, unknown][] = [
    [
      'another strategy after the first sync',
      409,
      'preview_required',
      undefined,
      { company_creation_preference: { strategy: 'one_per_license' } },
    ],
    [
      'another environment after the first sync',
      409,
      'fixed_after_first_sync',
      undefined,
      { tenant: { name: 'x', state: 'NM', environment: 'training' } },
    ],
    [
      'an unknown state',
      422,
      'unknown_state',
      '/state',
      { tenant: { name: 'x', state: 'ZZ', environment: 'training' } },
    ],
    ['another UBI without confirmation', 409, 'confirmation_required', undefined, { ubi: '007331902' }],
    ['a license number instead of a UBI', 422, 'ubi_is_license_number', '/ubi', { ubi: first?.location }],
    [
      'a description that is taken',
      409,
      'credential_exists',
      '/description',
      { credentials: [{ username: demo.username, description: 'second' }] },
    ],
    [
      'a license of another UBI',
      422,
      'license_not_available',
      '/licenses/1/license_number',
      { licenses: [row, { license_number: foreign?.location }] },
    ],
    [
      'an unknown license type',
      422,
      'license_type_unknown',
      '/licenses/1/license_type',
      { licenses: [row, { license_number: second?.location, license_type: 'Spaceport' }] },
    ],
    [
      'an expiry before the issue',
      422,
      'invalid_dates',
      '/licenses/0/expiry_datetime',
      { licenses: [{ ...row, issue_datetime: '2025-01-31T00:00:00Z', expiry_datetime: '2025-01-30T00:00:00Z' }] },
    ],
    [
      'an unknown credential',
      422,
      'credential_unknown',
      '/licenses/0/credential',
      { licenses: [{ ...row, credential: 'unknown' }] },
    ],
    [
      'a repeated license',
      400,
      'invalid_request',
      '/licenses/1/license_number',
      { licenses: [row, { license_number: ` ${first?.location} ` }] },
    ],
    [
      'a repeated credential',
      400,
      'invalid_request',
      '/credentials/1/username',
      {
        credentials: [
          { username: 'a', description: 'a' },
          { username: 'a', description: 'b' },
        ],
      },
    ],
  ];
  const before = await dump(tenantId);
  for (const [what, status, code, pointer, part] of bad) {
    // A valid change is applied before the invalid part is reached.
    const document = {
      ...(part as object),
      tenant: { name: 'Changed', state: 'NM', environment: 'production', ...(part as { tenant?: object }).tenant },
    };
    for (const query of ['?dry_run=true', '']) {
      const answer = await put(tenantId, document, query);
      t.match({ status: answer.status, code: answer.body.code }, { status, code }, `${what} ${query}`);
      if (pointer !== undefined) t.equal(answer.body.errors[0].pointer, pointer);
    }
  }
  const after = await dump(tenantId);
  t.equal(withoutUse(after), withoutUse(before), 'nothing was changed');
  for (const body of [
    { licenses: [{}] },
    { licenses: 'all' },
    { ubi: 42 },
    { credentials: [{ username: 'a', description: 'a', password: 'x' }] },
    { company_creation_preference: {} },
    { tenant: { name: 'x' } },
    { confirm: 'change_ubi' },
    { surprise: 1 },
  ]) {
    t.match(await put(tenantId, body), { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(body));
  }
  t.match(await put(tenantId, {}, '?confirm=yes'), { status: 400, body: { errors: [{ pointer: '?confirm' }] } });
  t.match(await put(tenantId, {}, '?dry_run=maybe'), { status: 400, body: { errors: [{ pointer: '?dry_run' }] } });

  const moved = await put(
    tenantId,
    { ubi: '007331902', licenses: [{ license_number: foreign?.location }] },
    '?confirm=change_ubi',
  );
  t.match(
    moved.body.differences.find(({ action }: { action: string }) => action === 'needs_login').message.text,
    /the existing credential must read .* Send the document again/,
    'does not ask for another credential',
  );
  t.strictSame(
    toLines(moved.body),
    ['set /ubi', `needs_login /licenses/${foreign?.location} (pending)`, `archive /licenses/${first?.location}`],
    'the licenses of the new UBI can be created once the list was read again',
  );

  const bare = await makeTenant(service, 'tenant');
  t.match(await put(bare, { company_creation_preference: { strategy: 'one_per_vendor' } }), {
    status: 409,
    body: { code: 'setup_incomplete', next_step: { operation_id: 'putUbi' } },
  });
  const down = await makeTenant(service);
  await pause(1_100);
  control.injectFault({ fault: 'html', action: 'login', times: 0 });
  t.match(await put(down, { licenses: [row] }), { status: 503, body: { code: 'upstream_unavailable' } });
  t.match(
    await put(down, { tenant: { name: 'x', state: 'NM', environment: 'production' } }),
    { status: 200 },
    'a document without new licenses does not need BioTrack',
  );
  control.clearFaults();
  await service.sql('update credentials set secret_version = 7 where tenant_id = $1', [down]);
  t.match(await put(down, { licenses: [row] }), { status: 409, body: { code: 'credential_unreadable' } });
  t.match(await ask('PUT', toPath(newId()), { body: {}, headers: { 'if-match': '"1"' } }), { status: 404 });
});

t.test('putConfiguration with random documents, compared with a model', async (t) => {
  const seed = readSeed();
  t.comment(`TEST_SEED=${seed}`);
  const [, , vendor] = simulator.users as [typeof demo, typeof demo, typeof demo];
  const numbers = control
    .rows({ ubi: vendor.ubi })
    .filter(({ deleted, location }) => !deleted && location.trim() !== '')
    .map(({ location }) => location);
  const tenantId = await makeTenant(service, 'tenant');
  const base = {
    ubi: vendor.ubi,
    company_creation_preference: { strategy: 'one_per_vendor', include_labs: false },
    credentials: [{ description: 'office', username: vendor.username }],
  };
  await put(tenantId, base);
  const saved = await ask('POST', `/v1/tenants/${tenantId}/credentials`, {
    body: { description: 'office', username: vendor.username, password: vendor.password, owner: 'company' },
  });
  t.equal(saved.status, 201);

  const time = fc.option(
    fc
      .date({ min: new Date('2020-01-01'), max: new Date('2022-01-01'), noInvalidDate: true })
      .map((at) => at.toISOString()),
  );
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const entry = fc.record({
    license_number: fc.constantFrom(...numbers),
    name: maybe(fc.constantFrom('A', 'B', 'Ünï ¢ode')),
    license_type: maybe(fc.constantFrom('Producer', 'Retailer')),
    issue_datetime: maybe(time),
    active: maybe(fc.boolean()),
    credential: maybe(fc.option(fc.constant(vendor.username))),
    default_intake_location_id: maybe(fc.option(fc.constantFrom('1', '2'))),
    sync_enabled: maybe(fc.boolean()),
    create_companies: fc.constant(false),
    notify_on_change: maybe(fc.boolean()),
    share_with_leaflink: maybe(fc.boolean()),
  });
  const document = fc.record({
    description: fc.constantFrom('office', 'desk', 'home'),
    strategy: fc.constantFrom('one_per_vendor', 'one_per_license'),
    include_labs: fc.boolean(),
    licenses: maybe(fc.uniqueArray(entry, { selector: ({ license_number }) => license_number, maxLength: 6 })),
  });
  /** The expected settings of every license ever created: an archived one is restored with its settings. */
  const model = new Map<string, Record<string, unknown>>();
  let shown: string[] = [];
  let changes = 0;
  const documents = fc.sample(document, { seed, numRuns: pickCount({ few: 12, full: 40, long: 40 }) });
  for (const { description, strategy, include_labs, licenses } of documents) {
    const wanted = {
      company_creation_preference: { strategy, include_labs },
      credentials: [{ description, username: vendor.username }],
      ...(licenses === undefined ? {} : { licenses }),
    };
    const dry = await put(tenantId, wanted, '?dry_run=true');
    const real = await put(tenantId, wanted);
    t.equal(real.status, 200);
    t.strictSame(real.body.differences, dry.body.differences, 'the same differences as the dry run');
    t.strictSame(real.body.configuration, dry.body.configuration);
    changes += real.body.applied;
    for (const { license_number, ...fields } of licenses ?? []) {
      const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
      model.set(license_number, { ...model.get(license_number), ...given });
    }
    if (licenses !== undefined) shown = licenses.map(({ license_number }) => license_number).sort();
    const now = await read(tenantId);
    t.strictSame(now, real.body.configuration);
    t.match(now, {
      company_creation_preference: { strategy, include_labs },
      credentials: [{ description, username: vendor.username }],
    });
    t.strictSame(now.licenses.map(({ license_number }: { license_number: string }) => license_number).sort(), shown);
    for (const license of now.licenses) {
      const expected = model.get(license.license_number) as Record<string, unknown>;
      t.strictSame(Object.fromEntries(Object.keys(expected).map((name) => [name, license[name]])), expected);
    }
    t.match(
      (await put(tenantId, wanted)).body,
      { applied: 0, pending: 0, differences: [] },
      'sent again, it changes nothing',
    );
    t.match((await put(tenantId, now)).body, { differences: [] }, 'the exported document changes nothing');
  }
  t.comment(`${documents.length} documents, ${changes} differences`);
});

t.test('one of several concurrent putConfiguration calls succeeds', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  await ask('PUT', `/v1/tenants/${tenantId}/ubi`, { headers: FIRST_PUT, body: { ubi: demo.ubi } });
  for (let round = 0; round < 5; round += 1) {
    const headers = await etagOf(toPath(tenantId));
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_each, index) =>
        ask('PUT', toPath(tenantId), { body: { ubi: `${demo.ubi}-${round}-${index}` }, headers }),
      ),
    );
    t.strictSame(answers.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412]);
  }
});

t.test('a new license while the first list of a slow state is loading', async (t) => {
  const tenantId = await makeTenant(service);
  await service.sql(
    'update directories set version = 0, refreshed_datetime = null, checksum = null, fingerprint = null',
  );
  control.injectFault({ fault: 'slow_first_byte', action: 'sync_vendor', delayMs: 7_000, times: 1 });
  const licenses = [{ license_number: listOwn()[0]?.location }];
  t.match(await put(tenantId, { licenses }), { status: 503, body: { code: 'list_loading' } });
});

t.test('every documented response of these operations was tested', async (t) => {
  t.strictSame(contract.listUnseen(OWNERS['configuration.test.ts'], isOwnOutcome), []);
});
