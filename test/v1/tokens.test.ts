import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { AUDIENCE, ISSUER, signToken, type TokenUser, toClaims, toPart } from '../helpers/host.js';
import { FIRST_PUT, makeTenant, startTestService } from '../helpers/service.js';

/** Authentication with tokens of the host application. */

type Json = Readonly<Record<string, unknown>>;

const pairs = {
  ed: generateKeyPairSync('ed25519'),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ec384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  encrypting: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  weak: generateKeyPairSync('rsa', { modulusLength: 1_024 }),
  stranger: generateKeyPairSync('ed25519'),
  next: generateKeyPairSync('ed25519'),
};
const toJwk = (kid: string, { publicKey }: { publicKey: KeyObject }, extra: Json = {}) => ({
  ...publicKey.export({ format: 'jwk' }),
  kty: String(publicKey.export({ format: 'jwk' }).kty),
  kid,
  ...extra,
});
const published = [
  toJwk('ed', pairs.ed, { use: 'sig', alg: 'EdDSA' }),
  toJwk('rsa', pairs.rsa, { use: 'sig' }),
  toJwk('ec', pairs.ec, { alg: 'ES256' }),
  toJwk('ec384', pairs.ec384, {}),
  toJwk('encrypting', pairs.encrypting, { use: 'enc' }),
  toJwk('weak', pairs.weak, { use: 'sig', alg: 'RS256' }),
  { kty: 'oct', kid: 'shared', k: Buffer.from('a secret that is published').toString('base64url') },
];

/** What the JWKS URL of the host application returns; undefined for an error. */
let served: unknown = published;
let fetches = 0;
const host = createServer((_request, response) => {
  fetches += 1;
  if (served === undefined) response.writeHead(500).end('no');
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: served }));
});
host.listen(0, '127.0.0.1');
await once(host, 'listening');
t.teardown(() => host.close());
const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/keys`;

const service = await startTestService(t, {
  tokens: { issuer: ISSUER, audience: AUDIENCE, keys: { kind: 'url', url }, maxLifetimeSeconds: 86_400 },
});
const { ask } = service;
const tenantId = await makeTenant(service, 'ubi');
const otherId = await makeTenant(service, 'ubi');
const path = `/v1/tenants/${tenantId}`;
const admin: TokenUser = { tenantId, role: 'admin' };

const P1363 = { dsaEncoding: 'ieee-p1363' } as const;
const SIGNERS = {
  EdDSA: (text: Buffer) => sign(null, text, pairs.ed.privateKey),
  RS256: (text: Buffer) => sign('sha256', text, pairs.rsa.privateKey),
  RS512: (text: Buffer) => sign('sha512', text, pairs.rsa.privateKey),
  PS256: (text: Buffer) => sign('sha256', text, { key: pairs.rsa.privateKey, padding: 6, saltLength: 32 }),
  ES256: (text: Buffer) => sign('sha256', text, { key: pairs.ec.privateKey, ...P1363 }),
  ES384: (text: Buffer) => sign('sha384', text, { key: pairs.ec384.privateKey, ...P1363 }),
};
const HEADER = { alg: 'EdDSA', kid: 'ed', typ: 'JWT' };
const claims = toClaims(admin);
const good = signToken(HEADER, claims, SIGNERS.EdDSA);
const now = claims.iat + 10;

const withClaims = (change: Json): string => signToken(HEADER, { ...claims, ...change }, SIGNERS.EdDSA);
const withHeader = (change: Json, signer = SIGNERS.EdDSA): string =>
  signToken({ ...HEADER, ...change }, claims, signer);
const without = (name: string): string =>
  signToken(HEADER, Object.fromEntries(Object.entries(claims).filter(([each]) => each !== name)), SIGNERS.EdDSA);
const hmac = (secret: string | Buffer) => (text: Buffer) => createHmac('sha256', secret).update(text).digest();
const pem = (key: KeyObject): string => String(createPublicKey(key).export({ type: 'spki', format: 'pem' }));
const [head = '', middle = '', signature = ''] = good.split('.');
const flip = (part: string, at: number): string => {
  const bytes = Buffer.from(part, 'base64url');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString('base64url');
};

t.test('tokens need a key id, and expire within a day', async (t) => {
  const far = Date.now() / 1_000;
  const tokens = {
    'without kid': withHeader({ kid: undefined }),
    'an empty kid': withHeader({ kid: '' }),
    'a kid that is no text': withHeader({ kid: 1 }),
    'in 25 hours': withClaims({ exp: far + 25 * 3_600 }),
    'in a thousand years': withClaims({ exp: far * 1_000 }),
    'no number': withClaims({ exp: '2030' }),
  };
  for (const [what, key] of Object.entries(tokens))
    t.match(await ask('GET', `${path}/setup`, { key }), { status: 401, body: { code: 'unauthenticated' } }, what);
  const infinite = `${head}.${Buffer.from(JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')).toString('base64url')}`;
  const key = `${infinite}.${SIGNERS.EdDSA(Buffer.from(infinite)).toString('base64url')}`;
  t.equal((await ask('GET', `${path}/setup`, { key })).status, 401, 'infinite');
  const day = withClaims({ exp: far + 86_400 });
  t.equal((await ask('GET', `${path}/setup`, { key: day })).status, 200, 'in a day');
});

t.test('valid tokens authenticate their user', async (t) => {
  const kids: Readonly<Record<keyof typeof SIGNERS, string>> = {
    EdDSA: 'ed',
    RS256: 'rsa',
    RS512: 'rsa',
    PS256: 'rsa',
    ES256: 'ec',
    ES384: 'ec384',
  };
  for (const [alg, signer] of Object.entries(SIGNERS)) {
    const key = signToken({ alg, kid: kids[alg as keyof typeof kids] }, claims, signer);
    t.equal((await ask('GET', `${path}/setup`, { key })).status, 200, alg);
  }
  for (const typ of ['JWT', 'jwt', 'at+jwt', undefined]) {
    t.equal((await ask('GET', `${path}/setup`, { key: withHeader({ typ }) })).status, 200, `typ ${typ}`);
  }
  for (const aud of [[AUDIENCE], ['another', AUDIENCE]])
    t.equal((await ask('GET', `${path}/setup`, { key: withClaims({ aud }) })).status, 200, `aud ${aud}`);
  t.equal((await ask('GET', `${path}/setup`, { key: withClaims({ exp: now - 5 }) })).status, 200, 'allows clock skew');
  for (const sub of ['1', 'auth0|5f7c', 'a'.repeat(200), 'Zoë 🌿', "o'brien@example.com"])
    t.equal((await ask('GET', `${path}/setup`, { key: withClaims({ sub }) })).status, 200, `sub ${sub.slice(0, 20)}`);

  const asAdmin = await ask('PUT', `${path}/company-creation-preference`, {
    key: good,
    headers: FIRST_PUT,
    body: { strategy: 'one_per_vendor' },
  });
  t.equal(asAdmin.status, 201, 'an admin can change the setup');
  const user = withClaims({ role: 'user' });
  t.match(await ask('GET', `${path}/ubi`, { key: user }), { status: 200 }, 'a user can read');
  const refused = await ask('PUT', `${path}/ubi`, { key: user, headers: { 'if-match': '"1"' }, body: { ubi: '1' } });
  t.match(refused, { status: 403, body: { code: 'forbidden' } }, 'a user cannot change it');
  t.match(await ask('GET', '/v1/tenants', { key: good }), { status: 403 }, 'a user cannot be an operator');
  t.match(
    await ask('GET', `/v1/tenants/${otherId}/setup`, { key: good }),
    { status: 404 },
    'other tenants are not visible',
  );
  t.match(await ask('GET', `/v1/tenants/${service.newId()}`, { key: good }), { status: 404 });
  const nowhere = withClaims({ tenant_id: service.newId() });
  t.match(
    await ask('GET', `${path}/setup`, { key: nowhere }),
    { status: 404 },
    'a token of an unknown tenant sees nothing',
  );
  t.match(service.logged(), /"principal\.id":"user-1"/, 'the log contains the user id');
});

const ATTACKS: Readonly<Record<string, string>> = {
  // The algorithm.
  'alg none': `${toPart({ alg: 'none' })}.${middle}.`,
  'alg none, signed': signToken({ alg: 'none', kid: 'ed' }, claims, SIGNERS.EdDSA),
  'alg None': `${toPart({ alg: 'None', typ: 'JWT' })}.${middle}.`,
  'alg nOnE': `${toPart({ alg: 'nOnE', typ: 'JWT' })}.${middle}.`,
  'alg empty': `${toPart({ alg: '', typ: 'JWT' })}.${middle}.`,
  'alg missing': `${toPart({ typ: 'JWT', kid: 'ed' })}.${middle}.${signature}`,
  'alg a number': `${toPart({ alg: 256 })}.${middle}.${signature}`,
  'alg a list': `${toPart({ alg: ['EdDSA'] })}.${middle}.${signature}`,
  'alg unknown': withHeader({ alg: 'XS256' }),
  'alg in lower case': withHeader({ alg: 'eddsa' }),
  'HS256 with the public key as PEM': withHeader({ alg: 'HS256', kid: 'rsa' }, hmac(pem(pairs.rsa.privateKey))),
  'HS256 with the Ed25519 key as PEM': withHeader({ alg: 'HS256' }, hmac(pem(pairs.ed.privateKey))),
  'HS256 with the raw x of the key': withHeader(
    { alg: 'HS256' },
    hmac(Buffer.from(String(published[0]?.x), 'base64url')),
  ),
  'HS256 with the JWK as text': withHeader({ alg: 'HS256' }, hmac(JSON.stringify(published[0]))),
  'HS256 with an empty secret': withHeader({ alg: 'HS256' }, hmac('')),
  'HS256 with a shared key of the set': withHeader({ alg: 'HS256', kid: 'shared' }, hmac('a secret that is published')),
  'ES256 with a key of P-384': withHeader({ alg: 'ES256', kid: 'ec384' }, SIGNERS.ES384),
  'RS256 said, PS256 signed': withHeader({ alg: 'RS256', kid: 'rsa' }, SIGNERS.PS256),
  'ES256 with r and s of nothing': withHeader({ alg: 'ES256', kid: 'ec' }, () => Buffer.alloc(64)),
  'ES256 in DER': withHeader({ alg: 'ES256', kid: 'ec' }, (text) => sign('sha256', text, pairs.ec.privateKey)),
  'an encrypted token': `${toPart({ alg: 'RSA-OAEP', enc: 'A256GCM', kid: 'encrypting' })}.AA.AA.AA.AA`,
  // The key.
  'the key of another issuer': withHeader({}, (text) => sign(null, text, pairs.stranger.privateKey)),
  'a key id that is not there': withHeader({ kid: 'stranger' }, (text) => sign(null, text, pairs.stranger.privateKey)),
  'the key of another key id': withHeader({ kid: 'rsa' }),
  'a key that is for encryption': withHeader({ alg: 'RS256', kid: 'encrypting' }, (text) =>
    sign('sha256', text, pairs.encrypting.privateKey),
  ),
  'a key that is too short': withHeader({ alg: 'RS256', kid: 'weak' }, (text) =>
    sign('sha256', text, pairs.weak.privateKey),
  ),
  'a key in the header': withHeader({ jwk: toJwk('ed', pairs.stranger) }, (text) =>
    sign(null, text, pairs.stranger.privateKey),
  ),
  'a key in the header, though ours': withHeader({ jwk: published[0] }),
  'an address of keys': withHeader({ jku: 'https://evil.example/keys' }),
  'our own address of keys': withHeader({ jku: url }),
  'a chain of certificates': withHeader({ x5c: ['AAAA'] }),
  'an address of certificates': withHeader({ x5u: 'https://evil.example/chain' }),
  'a thumbprint': withHeader({ x5t: 'AAAA' }),
  'a path as key id': withHeader({ kid: '../../../../dev/null' }, hmac('')),
  'SQL as key id': withHeader({ kid: "' union select 'a" }),
  'a key id that is an object': withHeader({ kid: { $ne: '' } }),
  '__proto__ as key id': withHeader({ kid: '__proto__' }),
  // Extensions.
  'an unknown critical extension': withHeader({ crit: ['x'], x: 1 }),
  'an empty crit': withHeader({ crit: [] }),
  'b64 false': withHeader({ crit: ['b64'], b64: false }),
  'b64 true': withHeader({ b64: true }),
  'a compressed body': withHeader({ zip: 'DEF' }),
  'a nested token': withHeader({ cty: 'JWT' }),
  'another type of token': withHeader({ typ: 'logout+jwt' }),
  'a proof as token': withHeader({ typ: 'dpop+jwt' }),
  'a type that is a number': withHeader({ typ: 1 }),
  // Time.
  expired: withClaims({ exp: now - 60 }),
  'expired long ago': withClaims({ exp: 1 }),
  'without expiry': without('exp'),
  'an expiry in words': withClaims({ exp: 'tomorrow' }),
  'an expiry as text': withClaims({ exp: String(now + 3_600) }),
  'an expiry of null': withClaims({ exp: null }),
  'an expiry below zero': withClaims({ exp: -1 }),
  'not before later': withClaims({ nbf: now + 3_600 }),
  'not before in words': withClaims({ nbf: 'now' }),
  'made at a time in words': withClaims({ iat: 'now' }),
  // For whom, and from whom.
  'another audience': withClaims({ aud: 'another' }),
  'our audience in capitals': withClaims({ aud: AUDIENCE.toUpperCase() }),
  'our audience as a beginning': withClaims({ aud: `${AUDIENCE}.evil` }),
  'no audience': without('aud'),
  'an empty list of audiences': withClaims({ aud: [] }),
  'another issuer': withClaims({ iss: 'https://evil.example' }),
  'our issuer with a slash': withClaims({ iss: `${ISSUER}/` }),
  'our issuer in a list': withClaims({ iss: [ISSUER] }),
  'no issuer': without('iss'),
  // Who.
  'no user': without('sub'),
  'an empty user id': withClaims({ sub: '' }),
  'a blank user id': withClaims({ sub: '   ' }),
  'a user id with a leading space': withClaims({ sub: ' user-1' }),
  'a user id of 201 characters': withClaims({ sub: 'a'.repeat(201) }),
  'a user id with a NUL': withClaims({ sub: 'user-1\u0000' }),
  'a user id with a line feed': withClaims({ sub: 'user-1\nuser-2' }),
  'half of a surrogate pair': withClaims({ sub: 'user\ud800' }),
  'a numeric user id': withClaims({ sub: 1 }),
  'no tenant': without('tenant_id'),
  'a tenant of null': withClaims({ tenant_id: null }),
  'all tenants': withClaims({ tenant_id: '*' }),
  'a list of tenants': withClaims({ tenant_id: [tenantId, otherId] }),
  'a tenant with SQL': withClaims({ tenant_id: `${tenantId}'; reset role; --` }),
  'a tenant with a line feed': withClaims({ tenant_id: `${tenantId}\n` }),
  'no role': without('role'),
  'the role operator': withClaims({ role: 'operator' }),
  'the role Admin': withClaims({ role: 'Admin' }),
  'a list of roles': withClaims({ role: ['admin'] }),
  'an unknown role': withClaims({ role: 'root' }),
  '__proto__ as role': withClaims({ role: '__proto__' }),
  // The form.
  'a changed header': `${flip(head, 3)}.${middle}.${signature}`,
  'a changed body': `${head}.${flip(middle, 20)}.${signature}`,
  'a raised role': `${head}.${toPart({ ...toClaims({ tenantId: otherId, role: 'admin' }) })}.${signature}`,
  'a changed signature': `${head}.${middle}.${flip(signature, 10)}`,
  'no signature': `${head}.${middle}.`,
  'two parts': `${head}.${middle}`,
  'four parts': `${good}.AAAA`,
  'an empty token': '..',
  'a signature cut short': `${head}.${middle}.${signature.slice(0, -4)}`,
  'a longer signature': `${head}.${middle}.${Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.from([0])]).toString('base64url')}`,
  'a padded signature': `${good}==`,
  'a body that is no object': `${head}.${toPart([claims])}.${sign(null, Buffer.from(`${head}.${toPart([claims])}`), pairs.ed.privateKey).toString('base64url')}`,
  'a header that is no JSON': `${Buffer.from('{').toString('base64url')}.${middle}.${signature}`,
  'a header that is a list': `${toPart([HEADER])}.${middle}.${signature}`,
  'two tokens': `${good},${good}`,
};

t.test('a token that is too long is rejected with its length', async (t) => {
  const { status, body } = await ask('GET', `${path}/setup`, { key: 'x'.repeat(9_000) });
  t.equal(`${status} ${body.code}`, '401 unauthenticated');
  t.match(body.detail, '9000 characters');
  const long = signToken(HEADER, { ...claims, groups: 'x'.repeat(4_500) }, SIGNERS.EdDSA);
  t.ok(long.length > 6_000);
  t.equal((await ask('GET', `${path}/setup`, { key: long })).status, 200, 'a long token with many claims is accepted');
});

t.test('forged and malformed tokens are rejected', async (t) => {
  const names = Object.keys(ATTACKS);
  t.comment(`${names.length} tokens`);
  t.ok(names.length >= 60);
  t.equal((await ask('GET', `${path}/setup`, { key: good })).status, 200, 'the token they are derived from is valid');
  const details = new Set<string>();
  for (const [name, key] of Object.entries(ATTACKS)) {
    const { status, body } = await ask('GET', `${path}/setup`, { key });
    t.equal(`${status} ${body.code}`, '401 unauthenticated', name);
    details.add(body.detail);
    t.notOk(JSON.stringify(body).includes(key.slice(0, 40)), 'the reply does not contain the token');
  }
  t.equal(details.size, 1, 'all have the same detail');
  t.notOk(service.logged().includes(signature), 'the log contains no token');
});

t.test('key rotation and an unavailable JWKS URL', async (t) => {
  const before = fetches;
  for (let round = 0; round < 50; round += 1) {
    await ask('GET', `${path}/setup`, { key: withHeader({ kid: `made-up-${round}` }) });
  }
  t.ok(fetches - before <= 1, `50 made-up key ids caused ${fetches - before} fetches`);

  served = [toJwk('next', pairs.next)];
  const beside = await startTestService(t, {
    beside: service,
    role: 'api',
    tokens: { issuer: ISSUER, audience: AUDIENCE, keys: { kind: 'url', url }, maxLifetimeSeconds: 86_400 },
  });
  const next = signToken({ alg: 'EdDSA', kid: 'next' }, claims, (text) => sign(null, text, pairs.next.privateKey));
  t.equal((await beside.ask('GET', `${path}/setup`, { key: next })).status, 200, 'the new key is accepted');
  t.equal((await beside.ask('GET', `${path}/setup`, { key: good })).status, 401, 'the removed key is not');

  for (const [what, reply] of [
    ['an error', undefined],
    ['nonsense', 'nonsense'],
    ['more than 1 MiB', [...published, { kty: 'x', note: 'x'.repeat(1024 * 1024) }]],
  ] as const) {
    served = reply;
    const alone = await startTestService(t, {
      beside: service,
      role: 'api',
      tokens: { issuer: ISSUER, audience: AUDIENCE, keys: { kind: 'url', url }, maxLifetimeSeconds: 86_400 },
    });
    const answer = await alone.ask('GET', `${path}/setup`, { key: good });
    t.match(answer, { status: 503, body: { code: 'identity_unavailable' } }, `${what}: 503, not 401`);
    t.equal((await alone.ask('GET', `${path}/setup`)).status, 200, 'API keys still work');
    served = published;
    t.equal(
      (await alone.ask('GET', `${path}/setup`, { key: good })).status,
      200,
      'tokens work again once the URL does',
    );
  }
});
