import { readFile, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { readEnv } from '../../src/config.js';
import { type Db, withTenant } from '../../src/db/database.js';
import { forgetRefusals, saveAcceptance, saveRefusal } from '../../src/modules/credentials/login-attempt-repository.js';
import { rotateKeys } from '../../src/rotate.js';
import { parseKeyset } from '../../src/vault/index.js';
import { type Child, type Files, startChild, writeFiles } from '../helpers/child.js';
import { IS_LONG } from '../helpers/counts.js';
import { pickPort } from '../helpers/free-port.js';
import { makeTenant, sendRequest, startTestService, type TestService } from '../helpers/service.js';

/** The keys that seal passwords are changed without anybody noticing. */

interface Output {
  readonly code: number;
  readonly said: string;
  readonly complained: string;
}

async function vault({ databaseUrl }: TestService, files: Files, ...args: string[]): Promise<Output> {
  const environment = readEnv({
    DATABASE_URL: databaseUrl,
    VAULT_KEYSET_FILE: files.keyset,
    BIOTRACK_STATES_FILE: files.states,
  });
  const lines = { said: [] as string[], complained: [] as string[] };
  const code = await rotateKeys(environment, args, {
    print: (line) => lines.said.push(line),
    printError: (line) => lines.complained.push(line),
  });
  return { code, said: lines.said.join('\n'), complained: lines.complained.join('\n') };
}

const readKeyIds = async ({ keyset }: Files): Promise<string[]> =>
  parseKeyset(await readFile(keyset, 'utf8')).map(({ id }) => id);

const countSealedWith = async ({ sql }: TestService, id: string): Promise<number> => {
  const [row] = await sql<{ many: number }>(
    `select count(*)::int as many from credentials
      where encode(substring(sealed_password from 3 for get_byte(sealed_password, 1)), 'escape') = $1`,
    [id],
  );
  return row?.many ?? 0;
};

t.test('step by step', async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 } });
  const files = await writeFiles(t, service);
  for (let many = 0; many < 3; many += 1) await makeTenant(service);
  t.match(await vault(service, files, 'status'), { code: 0, said: 'test  seals  3 in credentials' });

  t.match(await vault(service, files, 'add', 'next'), { code: 0, said: /promote next/ });
  t.strictSame(await readKeyIds(files), ['test', 'next']);
  t.equal((await stat(files.keyset)).mode & 0o777, 0o600, 'only the owner can read it');
  await t.rejects(vault(service, files, 'add', 'next'), /key next already exists/);
  await t.rejects(vault(service, files, 'add', 'no/id'), /key ID/);
  await t.rejects(vault(service, files, 'promote', 'other'), /key other does not exist/);
  await t.rejects(vault(service, files, 'retire', 'test'), /promote another key first/);

  t.match(await vault(service, files, 'promote', 'next'), { code: 0 });
  t.strictSame(await readKeyIds(files), ['next', 'test']);
  t.match(await vault(service, files, 'retire', 'test'), {
    code: 1,
    complained: /3 passwords in credentials are sealed with key test/,
  });
  t.strictSame(await readKeyIds(files), ['next', 'test'], 'nothing was changed');

  const before = await service.sql('select id, version, secret_version, updated_datetime from credentials order by id');
  t.match(await vault(service, files, 'reseal'), { code: 0, said: 'Resealed 3 passwords with key next.' });
  t.equal(await countSealedWith(service, 'next'), 3);
  t.strictSame(
    await service.sql('select id, version, secret_version, updated_datetime from credentials order by id'),
    before,
    'versions do not change',
  );
  t.match(await vault(service, files, 'reseal'), { code: 0, said: /^Resealed 0 passwords/ });

  t.match(await vault(service, files, 'retire', 'test'), { code: 0 });
  t.strictSame(await readKeyIds(files), ['next']);
  t.match(await vault(service, files, 'status'), { code: 0, said: 'next  seals  3 in credentials' });

  await service.sql(
    `update credentials set sealed_password = '\\x010474657374' where id = (select id from credentials limit 1)`,
  );
  t.match(await vault(service, files, 'status'), { code: 1, complained: /test {2}is not in the file/ });
  t.match(await vault(service, files, 'reseal'), { code: 1, complained: /1 passwords cannot be opened/ });
  for (const wrong of [[], ['help'], ['add'], ['reseal', 'x'], ['promote', 'a', 'b']]) {
    t.match(await vault(service, files, ...wrong), { code: 2, complained: /Usage/ }, wrong.join(' '));
  }
  t.match(await vault(service, files, '--help'), { code: 0, said: /Usage/ });
});

t.test('two processes under load: no call fails', { timeout: 400_000 }, async (t) => {
  const service = await startTestService(t, { simulator: { licenses: 100 }, role: 'worker' });
  const files = await writeFiles(t, service);
  const { databaseUrl, operatorKey, simulator } = service;
  const ports = [await pickPort(), await pickPort()];
  const start = (port: number): Promise<Child> => startChild(t, { databaseUrl, files, role: 'api', port });
  let children = await Promise.all(ports.map(start));

  /** Like a load balancer: skips processes that are down. */
  const ask: TestService['ask'] = async (method, path, options = {}) => {
    for (let turn = Math.floor(Math.random() * 2), tries = 0; ; turn += 1, tries += 1) {
      const { baseUrl } = children[turn % 2] as Child;
      try {
        return await sendRequest(baseUrl, operatorKey, method, path, {
          ...options,
          headers: { connection: 'close', ...options.headers },
        });
      } catch (error) {
        const { code } = error as { code?: string };
        // The process did not receive the call: a repeated call would otherwise fail as a duplicate.
        if (!['ECONNREFUSED', 'ECONNRESET'].includes(code ?? '') || tries > 500) throw error;
        await pause(20);
      }
    }
  };
  const tenants: string[] = [];
  for (let many = 0; many < 4; many += 1) tenants.push(await makeTenant({ ask, simulator, newId: service.newId }));

  let isLoaded = true;
  const counts = { calls: 0, logins: 0 };
  const failures: string[] = [];
  const load = async (worker: number): Promise<void> => {
    for (let round = 0; isLoaded; round += 1) {
      const path = `/v1/tenants/${tenants[worker % tenants.length]}/credentials`;
      const body = {
        description: `${worker}/${round}`,
        username: `user ${worker}/${round}`,
        password: 'x',
        owner: 'company',
        verify: 'skip',
      };
      const made = await ask('POST', path, { body }).catch((error) => ({
        status: 0,
        body: String(error),
      }));
      counts.calls += 1;
      if (made.status !== 201) failures.push(JSON.stringify(made));
      // Opening a password fails if its key is missing. The tenant's first login is valid.
      const first = (await ask('GET', `${path}?page[size]=1`)).body.data[0].id;
      const verified = await ask('POST', `${path}/${first}/verify`);
      counts.logins += 1;
      if (!IS_LONG) await pause(100);
      if (verified.status !== 200 || verified.body.result !== 'valid') failures.push(JSON.stringify(verified.body));
    }
  };
  const loading = (IS_LONG ? [0, 1, 2, 3] : [0, 1]).map(load);

  const restartAll = async (): Promise<void> => {
    for (const [index, port] of ports.entries()) {
      const code = await children[index]?.end();
      if (code !== 0) failures.push(`a process ended with ${code}`);
      const fresh = await start(port);
      children = children.map((child, at) => (at === index ? fresh : child));
    }
  };
  for (const step of [['add', 'next'], ['promote', 'next'], ['reseal'], ['retire', 'test']]) {
    const { code, complained } = await vault(service, files, ...step);
    t.equal(code, 0, `${step.join(' ')} ${complained}`);
    if (step[0] !== 'reseal') await restartAll();
  }
  isLoaded = false;
  await Promise.all(loading);
  t.comment(`${counts.calls} passwords sealed and ${counts.logins} opened during the rotation`);
  t.strictSame(failures, []);
  t.ok(counts.calls > 20);
  t.equal(await countSealedWith(service, 'test'), 0, 'nothing is sealed with the old key');
  t.notMatch(await readFile(files.keyset, 'utf8'), /"test"/);
  t.ok(simulator.control.counters().calls > 0);
});

t.test('processes with different first keys save the result of a login without a deadlock', async (t) => {
  const api = await startTestService(t, { simulator: { licenses: 20 }, role: 'api' });
  const tenantId = await makeTenant(api, 'tenant');
  const toHash = (value: number): Buffer => Buffer.alloc(32, value);
  const toKeys = (first: number, second: number) => ({
    account: [toHash(first), toHash(second)] as const,
    login: [toHash(first + 1), toHash(second + 1)] as const,
    ofTenant: [toHash(first + 2), toHash(second + 2)] as const,
  });
  const failures: unknown[] = [];
  const db: Db = { ...api.service.db, onEvent: (event) => failures.push(event) };
  const refusal = { refusal: 'refused', refusedText: 'text', upstreamText: null } as const;
  for (let round = 0; round < 200; round += 1) {
    const saving = [toKeys(1, 11), toKeys(11, 1)].flatMap((keys) => [
      withTenant(db, tenantId, (tx) => saveAcceptance(tx, keys)),
      ...[refusal, undefined].map((given) =>
        withTenant(db, tenantId, (tx) =>
          saveRefusal(tx, { account: keys.account, logins: [keys.login, keys.ofTenant] }, given),
        ),
      ),
      withTenant(db, tenantId, (tx) => forgetRefusals(tx, refusal.refusedText)),
    ]);
    await Promise.all(saving);
  }
  t.strictSame(failures, []);
});
