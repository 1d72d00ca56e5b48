import { randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import t from 'tap';
import { Secret } from '../../src/domain/secret.js';
import {
  createKeysetFile,
  createVault,
  KeysetError,
  parseKeyset,
  type SealContext,
  UnreadableError,
  type Vault,
} from '../../src/vault/index.js';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';

/** The vault by itself, and that no password of a credential is anywhere else than in it. */

const KEY_ID = 'one';
const ID_BYTES = KEY_ID.length;
const HEADER_BYTES = 2 + ID_BYTES;
const WRAPPED_BYTES = 12 + 32 + 16;

const vault = createVault(parseKeyset(createKeysetFile(KEY_ID)));
const makeContext = (): SealContext => ({
  tenantId: randomUUID(),
  owner: 'company',
  rowId: randomUUID(),
  secretVersion: 1,
  originId: 'NM',
});

/** Whether it can be opened; anything else than "unreadable" is thrown on. */
function opens(by: Vault, sealed: Buffer, context: SealContext): boolean {
  try {
    by.open(sealed, context);
    return true;
  } catch (error) {
    if (error instanceof UnreadableError) return false;
    throw error;
  }
}

t.test('what is sealed can be opened, by the same hand only', async (t) => {
  for (const text of ['', 'x', 'correct horse battery staple', ' \t\n ', '🔑ünï', 'x'.repeat(10_000)]) {
    const context = makeContext();
    t.equal(vault.open(vault.seal(new Secret(text), context), context).reveal(), text, `${text.length} characters`);
  }
  const context = makeContext();
  const secret = new Secret('canary');
  const sealed = Array.from({ length: 100 }, () => vault.seal(secret, context).toString('base64'));
  t.equal(new Set(sealed).size, 100, 'never twice the same');
  t.notOk(sealed.some((text) => Buffer.from(text, 'base64').includes('canary')));
  const other = createVault(parseKeyset(createKeysetFile(KEY_ID)));
  t.notOk(opens(other, vault.seal(secret, context), context), 'another key of the same name');
  const unnamed = createVault(parseKeyset(createKeysetFile('two')));
  t.notOk(opens(unnamed, vault.seal(secret, context), context), 'a key of another name');
});

t.test('a key that became the second still opens', async (t) => {
  const [old, young] = [createKeysetFile('old'), createKeysetFile('young')].map((text) => JSON.parse(text).keys[0]);
  const before = createVault(parseKeyset(JSON.stringify({ keys: [old] })));
  const after = createVault(parseKeyset(JSON.stringify({ keys: [young, old] })));
  const retired = createVault(parseKeyset(JSON.stringify({ keys: [young] })));
  const context = makeContext();
  const sealed = before.seal(new Secret('canary'), context);
  t.equal(after.open(sealed, context).reveal(), 'canary');
  const resealed = after.seal(after.open(sealed, context), context);
  t.ok(opens(retired, resealed, context), 'sealed again with the first');
  t.notOk(opens(retired, sealed, context), 'and the retired one opens nothing');
  t.notOk(opens(before, resealed, context));
  t.strictSame(after.deriveKeys('a')[1], before.deriveKeys('a')[0], 'derived keys follow the keyset');
  t.notSame(after.deriveKeys('a')[0], after.deriveKeys('b')[0], 'and their purpose');
});

t.test('100 rows, each sealed text in the place of each other one', async (t) => {
  const rows = Array.from({ length: 100 }, () => {
    const context = makeContext();
    return { context, sealed: vault.seal(new Secret('the same password'), context) };
  });
  let opened = 0;
  for (const [place, { context }] of rows.entries()) {
    for (const [from, { sealed }] of rows.entries()) {
      if (opens(vault, sealed, context)) opened += place === from ? 1 : 1_000;
    }
  }
  t.equal(opened, 100, 'each opens in its own place, and in none of the 99 others');
});

t.test('each part of the context counts', async (t) => {
  const context = makeContext();
  const sealed = vault.seal(new Secret('canary'), context);
  const changes: Partial<SealContext>[] = [
    { tenantId: randomUUID() },
    { owner: 'user:7' },
    { rowId: randomUUID() },
    { secretVersion: 2 },
    { secretVersion: 0 },
    { originId: 'CT' },
    { originId: '' },
    { tenantId: context.rowId, rowId: context.tenantId },
    { owner: `company","${context.rowId}`, rowId: '' },
  ];
  t.ok(opens(vault, sealed, context), 'unchanged it opens');
  for (const change of changes) t.notOk(opens(vault, sealed, { ...context, ...change }), JSON.stringify(change));
});

t.test('every bit flip of a sealed text is refused', async (t) => {
  const context = makeContext();
  let flips = 0;
  const opened: string[] = [];
  for (let text = 0; text < 10; text += 1) {
    const sealed = vault.seal(new Secret(randomBytes(20).toString('base64')), context);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      flips += 1;
      if (opens(vault, flipped, context)) opened.push(`text ${text}, bit ${bit}`);
    }
  }
  t.strictSame(opened, [], `${flips} flips`);
  t.ok(flips > 9_000);
});

t.test('tags cut to 0–15 bytes, and texts cut anywhere', async (t) => {
  const context = makeContext();
  const sealed = vault.seal(new Secret('canary'), context);
  const wrappedEnd = HEADER_BYTES + WRAPPED_BYTES;
  t.equal(sealed.length, wrappedEnd + 12 + 64 + 16, 'the layout is as this test takes it');
  const opened: string[] = [];
  for (let length = 0; length < 16; length += 1) {
    const cuts = {
      'the tag of the text': sealed.subarray(0, sealed.length - 16 + length),
      'the tag of the key': Buffer.concat([sealed.subarray(0, wrappedEnd - 16 + length), sealed.subarray(wrappedEnd)]),
    };
    for (const [what, cut] of Object.entries(cuts)) if (opens(vault, cut, context)) opened.push(`${what}: ${length}`);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    if (opens(vault, sealed.subarray(0, length), context)) opened.push(`cut at ${length}`);
    if (opens(vault, sealed.subarray(sealed.length - length), context)) opened.push(`begun at ${length}`);
  }
  for (const more of [1, 16, 1_000])
    if (opens(vault, Buffer.concat([sealed, randomBytes(more)]), context)) opened.push(`${more} more`);
  for (let length = 0; length < 300; length += 7)
    if (opens(vault, randomBytes(length), context)) opened.push(`noise of ${length}`);
  for (const length of [0, 1, 255]) {
    const lied = Buffer.from(sealed);
    lied[1] = length;
    if (opens(vault, lied, context)) opened.push(`a key id of ${length}`);
  }
  t.strictSame(opened, []);
});

t.test('a keyset that is wrong is refused, by the place', async (t) => {
  const key = randomBytes(32).toString('base64');
  const short = randomBytes(31).toString('base64');
  const wrong: readonly (readonly [string, unknown])[] = [
    ['not valid JSON', `{"keys": ${key}`],
    ['/keys', []],
    ['/keys', null],
    ['/keys', '"text"'],
    ['/keys', {}],
    ['/keys', { keys: [] }],
    ['/keys', { keys: { id: 'a', key } }],
    ['/keys/0', { keys: ['a'] }],
    ['/keys/0', { keys: [null] }],
    ['/keys/0', { keys: [[]] }],
    ['/keys/0/id', { keys: [{ key }] }],
    ['/keys/0/id', { keys: [{ id: '', key }] }],
    ['/keys/0/id', { keys: [{ id: 7, key }] }],
    ['/keys/0/id', { keys: [{ id: 'a b', key }] }],
    ['/keys/0/id', { keys: [{ id: 'ü', key }] }],
    ['/keys/0/id', { keys: [{ id: 'a\n', key }] }],
    ['/keys/0/id', { keys: [{ id: 'x'.repeat(33), key }] }],
    ['/keys/0/key', { keys: [{ id: 'a' }] }],
    ['/keys/0/key', { keys: [{ id: 'a', key: short }] }],
    ['/keys/0/key', { keys: [{ id: 'a', key: `${key}AA` }] }],
    ['/keys/0/key', { keys: [{ id: 'a', key: key.replace('=', '') }] }],
    ['/keys/0/key', { keys: [{ id: 'a', key: ` ${key}` }] }],
    ['/keys/0/key', { keys: [{ id: 'a', key: Buffer.from(key, 'base64').toString('hex') }] }],
    [
      '/keys/1/key',
      {
        keys: [
          { id: 'a', key },
          { id: 'b', key: short },
        ],
      },
    ],
    [
      '/keys/1/id',
      {
        keys: [
          { id: 'a', key },
          { id: '/', key },
        ],
      },
    ],
    [
      'twice',
      {
        keys: [
          { id: 'a', key },
          { id: 'a', key: randomBytes(32).toString('base64') },
        ],
      },
    ],
  ];
  for (const [place, file] of wrong) {
    const text = typeof file === 'string' ? file : JSON.stringify(file);
    let refused: unknown;
    try {
      parseKeyset(text);
    } catch (error) {
      refused = error;
    }
    t.ok(refused instanceof KeysetError, text.replaceAll(key, '…').slice(0, 60));
    const { message } = refused as Error;
    t.match(message, place);
    t.notOk(message.includes(key) || message.includes(short), 'without the key');
  }
  t.equal(parseKeyset(JSON.stringify({ keys: [{ id: 'a', key }] }))[0].id, 'a', 'a right one is read');
  t.not(createKeysetFile('a'), createKeysetFile('a'), 'a new one is new');
});

t.test('a secret does not show', async (t) => {
  const secret = new Secret('canary');
  for (const shown of [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ a: [secret] }, { depth: 9, showHidden: true }),
  ]) {
    t.notMatch(shown, /canary/, shown.slice(0, 30));
  }
  t.strictSame(Object.values({ ...secret }), [], 'nor is it copied');
});

t.test('a password is sealed, and nowhere else', async (t) => {
  const service = await startTestService(t);
  const { ask, simulator } = service;
  const { ubi } = simulator.demo;
  const password = `Canary-${randomBytes(9).toString('hex')}-"ü\\`;
  const second = `Canary-${randomBytes(9).toString('hex')}`;
  const refused = `Canary-${randomBytes(9).toString('hex')}`;
  const username = 'canary@example.com';
  simulator.control.addUser({ ubi, username, password });
  const tenantId = await makeTenant(service, 'preference');
  const path = `/v1/tenants/${tenantId}/credentials`;
  const answers: string[] = [];
  const note = async (method: string, where: string, options?: Parameters<typeof ask>[2]) => {
    const answer = await ask(method, where, options);
    answers.push(JSON.stringify([answer.body, [...answer.headers]]));
    return answer;
  };
  const body = { description: 'office', username, password, owner: 'company' };
  await note('POST', path, { body: { ...body, password: refused } });
  await note('POST', path, { body: { ...body, surprise: password } });
  await note('POST', path, { body: { ...body, verify: password } });
  await note('POST', path, { rawBody: JSON.stringify(body).slice(0, -1) });
  await note('POST', path, { body: { ...body, description: '' } });
  const { body: saved } = await note('POST', path, { body });
  await note('POST', path, { body });
  await note('GET', path);
  await note('GET', `${path}/${saved.id}`);
  await note('POST', `${path}/${saved.id}/verify`);
  simulator.control.injectFault({ fault: 'echo_password', action: 'login' });
  await note('POST', `${path}/${saved.id}/verify`);
  // The echoed password is an unknown text, which refuses the login.
  const key = service.tokenOf({ tenantId, role: 'admin' });
  await note('POST', `${path}/${saved.id}/verify`, { key, body: { force: true } });
  simulator.control.injectFault({ fault: 'echo_password', action: 'sync_vendor', times: 0 });
  const failed = await syncTenant(service, tenantId);
  t.equal(failed.status, 'failed', 'BioTrack even said it aloud');
  simulator.control.clearFaults();
  await note('GET', `/v1/tenants/${tenantId}/syncs`);
  t.match((await syncTenant(service, tenantId)).status, /^succeeded/);
  await note('GET', `/v1/tenants/${tenantId}/companies`);
  simulator.control.changePassword({ ubi, username, password: second });
  const { headers } = await note('GET', `${path}/${saved.id}`);
  const changed = await note('PATCH', `${path}/${saved.id}`, {
    body: { password: second },
    headers: { 'if-match': headers.get('etag') as string },
  });
  t.equal(changed.status, 200);
  await note('GET', `/v1/tenants/${tenantId}/setup`);
  // A password where it does not belong.
  await note('GET', `/v1/tenants/${tenantId}/companies?${encodeURIComponent(password)}=1`);
  await note('GET', `/v1/tenants/${tenantId}/companies?password=${encodeURIComponent(password)}`);

  /** Every way in which the text could stand somewhere. */
  const toShapes = (text: string): string[] => [
    text,
    JSON.stringify(text).slice(1, -1),
    JSON.stringify(JSON.stringify(text)).slice(3, -3),
    Buffer.from(text).toString('base64').replace(/=+$/, ''),
    Buffer.from(text).toString('base64url'),
    Buffer.from(text).toString('hex'),
    encodeURIComponent(text),
    [...text].reverse().join(''),
  ];
  const canaries = [password, second, refused].flatMap(toShapes);
  const findIn = (text: string): string[] => canaries.filter((shape) => text.includes(shape));

  const said = answers.slice(0, -2).join('\n');
  t.strictSame(findIn(said), [], `not in ${answers.length} answers`);
  t.ok(findIn(`${said} ${Buffer.from(second).toString('base64')}`).length > 0, 'a planted one is found there');
  const logged = service.logged();
  t.ok(logged.includes('request.finished') && logged.includes('run.finished'), 'there is a log to look into');
  t.strictSame(findIn(logged), [], 'not in the log');

  /** Where in the database these texts stand: every column of every table, ours and the queue's, read as text and bytes. */
  const scan = async (): Promise<string[]> => {
    const columns = await service.sql<{ schema: string; name: string; field: string; type: string }>(
      `select table_schema as schema, table_name as name, column_name as field, data_type as type
         from information_schema.columns join information_schema.tables using (table_schema, table_name)
        where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
    );
    const found: string[] = [];
    for (const { schema, name, field, type } of columns) {
      const value = type === 'bytea' ? `encode("${field}", 'escape') || encode("${field}", 'hex')` : `"${field}"::text`;
      const rows = await service.sql<{ many: number }>(
        `select count(*)::int as many from "${schema}"."${name}"
          where exists (select from unnest($1::text[]) shape where position(shape in ${value}) > 0)`,
        [canaries],
      );
      if ((rows[0]?.many ?? 0) > 0) found.push(`${schema}.${name}.${field}`);
    }
    t.ok(columns.length > 100, `${columns.length} columns`);
    return found;
  };
  t.strictSame(await scan(), [], 'not in the database');
  await service.sql(`update credentials set description = $1, sealed_password = sealed_password || $2`, [
    `x ${refused}`,
    Buffer.from(second),
  ]);
  await service.sql(`update sync_runs set skips = $1`, [JSON.stringify([{ name: refused }])]);
  t.strictSame(
    (await scan()).sort(),
    ['public.credentials.description', 'public.credentials.sealed_password', 'public.sync_runs.skips'],
    'planted ones are found',
  );
});

t.test('a sealed password is of use in its own row only', async (t) => {
  const service = await startTestService(t);
  const { ask, simulator } = service;
  const { password } = simulator.demo;
  const [ours, theirs] = [await makeTenant(service), await makeTenant(service)];
  const [own] = (await ask('GET', `/v1/tenants/${ours}/credentials`)).body.data;
  const [foreign] = (await ask('GET', `/v1/tenants/${theirs}/credentials`)).body.data;
  const second = await ask('POST', `/v1/tenants/${ours}/credentials`, {
    body: { description: 'second', username: 'x', password, owner: 'company', verify: 'skip' },
  });
  const verify = async (key = service.operatorKey): Promise<string> => {
    const { status, body } = await ask('POST', `/v1/tenants/${ours}/credentials/${own.id}/verify`, { key });
    return `${status} ${body.code ?? body.result}`;
  };
  const isUnreadable = async (what: string, key?: string): Promise<void> => {
    const logins = simulator.control.counters().logins;
    t.equal(await verify(key), '409 credential_unreadable', what);
    t.equal(simulator.control.counters().logins, logins, 'and is sent nowhere');
  };
  const [kept] = await service.sql<{ sealed: Buffer }>(
    'select sealed_password as sealed from credentials where id = $1',
    [own.id],
  );
  const put = (from: string): Promise<unknown[]> =>
    service.sql(
      'update credentials set sealed_password = (select sealed_password from credentials where id = $2) where id = $1',
      [own.id, from],
    );
  t.equal(await verify(), '200 valid');
  await put(foreign.id);
  await isUnreadable("another tenant's, of the very same login");
  await put(second.body.id);
  await isUnreadable('another row of the same tenant');

  await service.sql('update credentials set sealed_password = $2, secret_version = 2 where id = $1', [
    own.id,
    kept?.sealed,
  ]);
  await isUnreadable('an old password under a new version');
  await service.sql(`update credentials set secret_version = 1, owner = 'user', owner_user_id = '7' where id = $1`, [
    own.id,
  ]);
  await isUnreadable('of another owner', service.tokenOf({ tenantId: ours, role: 'user', userId: '7' }));
  const run = await ask('POST', `/v1/tenants/${ours}/syncs`, { body: {} });
  t.ok([202, 409].includes(run.status), `a sync of it: ${run.status}`);
  await service.sql(`update credentials set owner = 'company', owner_user_id = null where id = $1`, [own.id]);
  t.equal(await verify(), '200 valid', 'put back it is itself again');

  const elsewhere = await startTestService(t, {
    beside: service,
    role: 'api',
    states: ({ origin_id: _origin, ...environment }) => ({
      NM: { environments: { production: { ...environment, origin_id: 'elsewhere' } } },
    }),
  });
  const moved = await elsewhere.ask('POST', `/v1/tenants/${ours}/credentials/${own.id}/verify`);
  t.match(
    moved,
    { status: 409, body: { code: 'credential_unreadable' } },
    'a changed upstream gets no stored password',
  );

  const failing = await makeTenant(service);
  await service.sql('update credentials set sealed_password = $2 where tenant_id = $1', [
    failing,
    Buffer.from('nonsense'),
  ]);
  const failed = await syncTenant(service, failing);
  t.match(failed, { status: 'failed', reason: 'credential_unreadable', reason_message: { text: /Enter it again/ } });
});
