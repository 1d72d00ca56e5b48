import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parseKeyset } from '../../src/vault/index.js';
import { FIRST_PUT, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';

/** What must not be seen is seen nowhere: not in answers, logs, metrics or tables, nor in the bytes of the data folder. */

const service = await startTestService(t, { simulator: { licenses: 60 } });
const { sql, simulator, newId } = service;
const answers: string[] = [];
const ask: typeof service.ask = async (method, path, options) => {
  const answer: TestResponse = await service.ask(method, path, options);
  answers.push(JSON.stringify([answer.status, [...answer.headers], answer.body]));
  return answer;
};

const { ubi, username } = simulator.demo;
const PASSWORD = 'canary "pässwörd" +/=&%<7731>';
const WRONG = 'wrong canary ümlaut+/=&%<8842>';
const CONTROL = 'control canary öäü+/=&%<9953>';

/** The ways in which a text may hide. */
const ENCODINGS: Readonly<Record<string, (text: string) => Buffer>> = {
  plain: (text) => Buffer.from(text),
  base64: (text) => Buffer.from(Buffer.from(text).toString('base64').replace(/=+$/, '')),
  base64url: (text) => Buffer.from(Buffer.from(text).toString('base64url')),
  hex: (text) => Buffer.from(Buffer.from(text).toString('hex')),
  url: (text) => Buffer.from(encodeURIComponent(text)),
  form: (text) => Buffer.from(new URLSearchParams({ x: text }).toString().slice(2)),
  json: (text) => Buffer.from(JSON.stringify(text).slice(1, -1)),
  utf16: (text) => Buffer.from(text, 'utf16le'),
};

const find = (where: Buffer, text: string): string[] =>
  Object.entries(ENCODINGS).flatMap(([name, encode]) => (where.includes(encode(text)) ? [name] : []));

t.test('a secret is found nowhere, and a planted one everywhere', async (t) => {
  simulator.control.changePassword({ ubi, username, password: PASSWORD });
  const tenantId = newId();
  const path = `/v1/tenants/${tenantId}`;
  await ask('PUT', path, { headers: FIRST_PUT, body: { name: 'Test', state: 'NM', environment: 'production' } });
  await ask('PUT', `${path}/ubi`, { headers: FIRST_PUT, body: { ubi } });
  await ask('PUT', `${path}/company-creation-preference`, { headers: FIRST_PUT, body: { strategy: 'one_per_vendor' } });
  const refused = await ask('POST', `${path}/credentials`, {
    body: { description: 'wrong', username, password: WRONG, owner: 'company' },
  });
  t.equal(refused.status, 422);
  const made = await ask('POST', `${path}/credentials`, {
    body: { description: 'right', username, password: PASSWORD, owner: 'company' },
  });
  t.equal(made.status, 201);
  await ask('POST', `${path}/credentials/${made.body.id}/verify`);
  await ask('POST', `${path}/credentials`, { rawBody: `{"password": "${WRONG.replaceAll('"', '')}"` });
  for (const fault of ['echo_password', 'leaked_header', 'html'] as const) {
    simulator.control.injectFault({ fault, times: 1 });
    await syncTenant({ ask }, tenantId, { refresh: 'force' });
    // The echoed password is an unknown text, which refuses the login.
    const key = service.tokenOf({ tenantId, role: 'admin' });
    const verified = await ask('POST', `${path}/credentials/${made.body.id}/verify`, { key, body: { force: true } });
    t.match(verified, { body: { result: 'valid' } });
  }
  simulator.control.clearFaults();
  await syncTenant({ ask }, tenantId, { refresh: 'force' });
  const key = (
    await service.ask('POST', '/v1/api-keys', { body: { description: 'x', role: 'admin', tenant_id: tenantId } })
  ).body.secret;
  await ask('GET', '/v1/states', { key });
  await ask('GET', '/v1/api-keys');

  const hide = Object.values(ENCODINGS).map((encode) => encode(CONTROL).toString('latin1'));
  await sql('create table planted (what text)');
  for (const text of hide.filter((each) => !each.includes('\0')))
    await sql('insert into planted values ($1)', [Buffer.from(text, 'latin1').toString('utf8')]);
  await sql('checkpoint');

  const tables = await sql<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname in ('public', 'graphile_worker')`,
  );
  const dump: string[] = [];
  for (const { name } of tables) {
    const rows = await sql<{ row: string }>(`select t::text as row from ${name} t`);
    dump.push(...rows.map(({ row }) => row));
  }
  const [at] = await sql<{ folder: string; oid: string }>(
    `select current_setting('data_directory') as folder, (select oid::text from pg_database where datname = current_database()) as oid`,
  );
  const files: Buffer[] = [];
  for (const part of [`base/${at?.oid}`, 'pg_wal']) {
    const folder = join(at?.folder ?? '', part);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isFile()) files.push(await readFile(join(folder, entry.name)));
    }
  }
  const places: Readonly<Record<string, Buffer>> = {
    answers: Buffer.from(answers.join('\n')),
    log: Buffer.from(service.logged()),
    metrics: Buffer.from(await service.service.metrics.render()),
    tables: Buffer.from(dump.join('\n')),
    folder: Buffer.concat(files),
  };
  const secrets: Readonly<Record<string, string>> = {
    password: PASSWORD,
    'refused password': WRONG,
    'API key': key,
    ...Object.fromEntries(
      parseKeyset(service.keysetFile).map(({ id, key }) => [`sealing key ${id}`, key.toString('latin1')]),
    ),
    'sealing key as written': (JSON.parse(service.keysetFile) as { keys: { key: string }[] }).keys[0]?.key ?? '',
  };
  for (const [place, bytes] of Object.entries(places)) {
    t.ok(bytes.length > 1_000, `${place}: ${bytes.length} bytes are searched`);
    for (const [what, text] of Object.entries(secrets)) t.strictSame(find(bytes, text), [], `no ${what} in ${place}`);
  }
  t.strictSame(
    find(places.tables as Buffer, CONTROL),
    Object.keys(ENCODINGS).filter((name) => name !== 'utf16'),
    'planted in a table: found',
  );
  t.ok(find(places.folder as Buffer, CONTROL).length >= 6, 'planted in a table: found in the folder');
  for (const place of ['answers', 'log', 'metrics']) {
    const planted = Buffer.concat([
      places[place] as Buffer,
      ...Object.values(ENCODINGS).map((encode) => encode(CONTROL)),
    ]);
    t.strictSame(find(planted, CONTROL), Object.keys(ENCODINGS), `planted in ${place}: found`);
  }
});
