import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { runDoctor } from '../../src/doctor.js';
import { createKeysetFile } from '../../src/vault/index.js';
import { writeFiles } from '../helpers/child.js';
import { startConnectProxy, startTlsServer } from '../helpers/local-servers.js';
import { makeTenant, startTestService } from '../helpers/service.js';

/** `npm run doctor` finds problems, suggests fixes and prints no secrets. */

const service = await startTestService(t, { simulator: { licenses: 100 } });
const files = await writeFiles(t, service);
const GOOD = {
  DATABASE_URL: service.databaseUrl,
  VAULT_KEYSET_FILE: files.keyset,
  BIOTRACK_STATES_FILE: files.states,
};
const password = decodeURIComponent(new URL(service.databaseUrl).password);

async function doctor(variables: Readonly<Record<string, string>>): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runDoctor(variables, (line) => lines.push(line));
  const text = lines.join('\n');
  t.notOk(password !== '' && text.includes(password), 'no password');
  return { code, text };
}

t.test('a healthy deployment', async (t) => {
  await makeTenant(service);
  const { loginsAccepted } = service.simulator.control.counters();
  const { code, text } = await doctor(GOOD);
  t.equal(code, 0, text);
  for (const line of [
    /^ok +configuration/m,
    /^ok +keyset +seals with key test$/m,
    /^ok +states +from BIOTRACK_STATES_FILE: NM$/m,
    /^ok +database +DATABASE_URL: Postgres \d+$/m,
    /^ok +migrations +all applied$/m,
    /^ok +roles/m,
    /^ok +row security/m,
    /^ok +passwords +1 sealed/m,
    /^ok +BioTrack NM\/production +127\.0\.0\.1:\d+$/m,
    /No problems found/,
  ]) {
    t.match(text, line);
  }
  t.equal(service.simulator.control.counters().loginsAccepted, loginsAccepted, 'no login');
  t.notMatch(text, /proxy/);
  t.comment(text);
});

t.test('each problem', async (t) => {
  const wrong = async (variables: Readonly<Record<string, string>>, ...patterns: RegExp[]): Promise<void> => {
    const { code, text } = await doctor({ ...GOOD, ...variables });
    t.equal(code, 1, text);
    for (const pattern of patterns) t.match(text, pattern);
    t.match(text, /→/, 'suggests a fix');
  };
  await wrong({ PORT: 'x' }, /FAIL +configuration +PORT must be/);
  await wrong({ VAULT_KEYSET_FILE: '/nowhere' }, /FAIL +keyset +VAULT_KEYSET_FILE: the file cannot be read/);
  await wrong({ BIOTRACK_STATES_FILE: files.keyset }, /FAIL +states/);
  await wrong(
    { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/x' },
    /FAIL +database +DATABASE_URL: connection failed \(ECONNREFUSED\)/,
  );
  await wrong({ DATABASE_DIRECT_URL: 'postgres://127.0.0.1:1/x' }, /FAIL +database +DATABASE_DIRECT_URL/);

  const other = join(files.keyset, '..', 'other.json');
  await writeFile(other, createKeysetFile('other'), { mode: 0o600 });
  await wrong({ VAULT_KEYSET_FILE: other }, /FAIL +passwords +1 in credentials sealed with key test/);

  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  server.close();
  const states = join(files.keyset, '..', 'unreachable.json');
  const nowhere = { dialect: 'api4', url: `http://127.0.0.1:${port}`, origin_id: 'test' };
  await writeFile(states, JSON.stringify({ NM: { environments: { production: nowhere, training: nowhere } } }));
  await wrong(
    { BIOTRACK_STATES_FILE: states },
    /FAIL +BioTrack NM\/production .*ECONNREFUSED/,
    /warn +BioTrack NM\/training .*no tenant uses it/,
  );

  const owner = new pg.Client({ connectionString: service.databaseUrl });
  await owner.connect();
  t.teardown(() => owner.end());
  await owner.query('alter table licenses no force row level security');
  await wrong({}, /FAIL +row security +not forced on licenses/);
  await owner.query('alter table licenses force row level security');
  const [last] = (
    await owner.query('delete from kysely_migration where name = (select max(name) from kysely_migration) returning *')
  ).rows;
  await wrong({}, /FAIL +migrations +pending: /, /npm run migrate/);
  await owner.query('insert into kysely_migration values ($1, $2)', [last.name, last.timestamp]);

  await chmod(files.keyset, 0o644);
  const { code, text } = await doctor(GOOD);
  t.match({ code, text }, { code: 0, text: /warn +keyset[\s\S]*can read the file/ });
  await chmod(files.keyset, 0o600);
});

t.test('each BioTrack address is asked with a real request', async (t) => {
  const states = join(files.keyset, '..', 'probed.json');
  const { url } = service.simulator;
  const answer: RequestListener = ({ url: path }, response) => {
    if (path === '/moved') response.writeHead(302, { location: '/elsewhere' }).end();
    else if (path === '/down') response.writeHead(503).end();
    else response.end('<html>Welcome</html>');
  };
  const plain = createHttpServer(answer).listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const tls = await startTlsServer('valid', answer);
  const proxy = await startConnectProxy(tls.port);
  t.teardown(() => Promise.all([plain.close(), tls.close(), proxy.close()]));
  const web = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
  const probe = async (wrong: string, variables: Readonly<Record<string, string>> = {}, dialect = 'api4') => {
    const environment = { dialect, url: wrong, origin_id: 'test' };
    await writeFile(states, JSON.stringify({ NM: { environments: { production: environment } } }));
    return doctor({ ...GOOD, BIOTRACK_STATES_FILE: states, ...variables });
  };
  const cases: readonly (readonly [url: string, problem: RegExp, dialect?: string])[] = [
    [`${url}/wrong.asp`, /HTTP 404: the path of the URL is wrong/],
    [url, /HTTP 404: the path of the URL is wrong/, 'rest'],
    [`${web}/moved`, /HTTP 302: redirects to another address/],
    [`${web}/down`, /HTTP 503/],
    [`${web}/html`, /HTTP 200: the answer is not from BioTrack \(invalid_json\)/],
    [`https://127.0.0.1:${tls.port}`, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ];
  for (const [wrong, problem, dialect] of cases) {
    const { code, text } = await probe(wrong, {}, dialect);
    t.match({ code, text }, { code: 1, text: /FAIL +BioTrack NM\/production/ });
    t.match(text, problem);
  }

  const variables = { HTTPS_PROXY: `http://operator:proxy-secret@127.0.0.1:${proxy.port}`, NO_PROXY: 'other.example' };
  const { text } = await probe('https://biotrack.test', variables);
  t.match(
    text,
    new RegExp(
      `ok +proxy +http://127\\.0\\.0\\.1:${proxy.port} for all hosts but loopback addresses and other\\.example`,
    ),
  );
  t.match(text, /FAIL +BioTrack NM\/production +biotrack\.test: (UNABLE_TO|ERR_TLS)/);
  t.match(proxy.tunnels, [{ target: 'biotrack.test:443' }]);
  t.notMatch(text, /proxy-secret/);
  t.match(await probe(url, variables), { code: 0 }, 'loopback addresses need no proxy');
});

t.test('local mode', async (t) => {
  const { code, text } = await doctor({ DATA_DIR: '/nowhere/at/all' });
  t.equal(code, 0, text);
  t.match(text, /local mode[\s\S]*ok +postgres/);
  const held = join(files.keyset, '..');
  await writeFile(join(held, 'local.json'), JSON.stringify({ base_url: service.baseUrl }));
  t.match((await doctor({ DATA_DIR: held })).text, new RegExp(`running at ${service.baseUrl}`));
});
