import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readKeyset, readStates, readTokenOptions } from '../../src/configured-files.js';
import { createKeyset } from '../../src/create-keyset.js';
import { Secret } from '../../src/domain/secret.js';
import { createKeysetFile, createVault, parseKeyset } from '../../src/vault/index.js';
import { createHost } from '../helpers/host.js';

const folder = await mkdtemp(join(tmpdir(), 'files-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

const { tokens } = createHost();
const jwt = { issuer: 'i', audience: 'a', jwksUrl: undefined, maxLifetimeSeconds: 60 };
const READERS: Readonly<Record<string, { text: string; read: (path: string) => Promise<unknown> }>> = {
  VAULT_KEYSET_FILE: { text: createKeysetFile('first'), read: (vaultKeysetFile) => readKeyset({ vaultKeysetFile }) },
  BIOTRACK_STATES_FILE: {
    text: '{"NM":{"environments":{"production":{"dialect":"api4","url":"https://x.example","origin_id":"x"}}}}',
    read: (statesFile) => readStates({ statesFile }),
  },
  JWT_JWKS_FILE: {
    text: JSON.stringify(tokens.keys.kind === 'set' ? tokens.keys.set : {}),
    read: (jwksFile) => readTokenOptions({ jwt: { ...jwt, jwksFile } }),
  },
};

for (const [name, { text, read }] of Object.entries(READERS)) {
  t.test(name, async (t) => {
    const path = join(folder, name);
    await writeFile(path, text);
    const plain = await read(path);
    await writeFile(path, Buffer.concat([BOM, Buffer.from(text)]));
    t.strictSame(await read(path), plain, 'a byte order mark is skipped');
    await writeFile(path, Buffer.from(text.replace('{', '{"\xff":1,'), 'latin1'));
    await t.rejects(read(path), { message: `${name}: the file is not valid UTF-8` });
    await t.rejects(read(join(folder, 'missing')), { message: `${name}: the file cannot be read` });
  });
}

t.test('create-keyset --out', async (t) => {
  const path = join(folder, 'new.json');
  const printed: string[] = [];
  await createKeyset(['--out', path], (line) => printed.push(line));
  t.equal((await stat(path)).mode & 0o777, 0o600, 'only its owner can read it');
  const text = await readFile(path, 'utf8');
  t.equal(parseKeyset(text).length, 1);
  t.notOk(printed.join('').includes(JSON.parse(text).keys[0].key), 'the key is not printed');
  await t.rejects(
    createKeyset(['--out', path], () => {}),
    { message: /exists already/ },
  );
  t.equal(await readFile(path, 'utf8'), text, 'an existing file stays');
  await t.rejects(
    createKeyset(['--out', join(folder, 'no', 'folder')], () => {}),
    { message: /cannot be written/ },
  );
  await t.rejects(
    createKeyset(['--wrong'], () => {}),
    { message: /usage/ },
  );
  await createKeyset([], (line) => printed.push(line));
  t.equal(parseKeyset(printed.at(-1) as string).length, 1, 'without --out it is printed');
});

t.test('the length of a sealed text does not show', async (t) => {
  const vault = createVault(parseKeyset(createKeysetFile('first')));
  const context = { tenantId: 't', owner: 'o', rowId: 'r', secretVersion: 1, originId: 'x' };
  const texts = ['', 'a', 'x'.repeat(63), '\u0080', 'ends with \u0080', 'p\u00fcss', '\u0000\u0000'];
  const lengths = texts.map((text) => {
    const sealed = vault.seal(new Secret(text), context);
    t.equal(vault.open(sealed, context).reveal(), text);
    return sealed.length;
  });
  t.equal(new Set(lengths).size, 1, String(lengths));
  const long = vault.seal(new Secret('x'.repeat(64)), context);
  t.equal(long.length - (lengths[0] as number), 64);
});
