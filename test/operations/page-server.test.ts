import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import t from 'tap';
import { createDemoHost, startPageServer } from '../../src/local/index.js';

/** The server of the example page in local mode. The page itself is in test/browser. */

const api = { baseUrl: 'http://127.0.0.1:3000', tenantId: '0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11' };
const folder = t.testdir({ 'index.html': '<!doctype html>', 'style.css': '', 'settings-page.js': '' });
const server = await startPageServer({ folder, host: await createDemoHost() });
t.teardown(() => server.stop());

t.test('it serves nothing before the tenant exists', async (t) => {
  t.equal((await fetch(server.origin)).status, 503);
  server.open(api);
  for (const path of ['/', '/?as=user', '/style.css', '/settings-page.js'])
    t.equal((await fetch(`${server.origin}${path}`)).status, 200, path);
});

t.test('the page server gives tokens to its own page only', async (t) => {
  const token = `${server.origin}/token?as=admin`;
  t.equal((await fetch(token)).status, 403, 'a script that is not the page');
  for (const site of ['cross-site', 'same-site', 'none'])
    t.equal((await fetch(token, { headers: { 'sec-fetch-site': site } })).status, 403, site);
  const response = await fetch(token, { headers: { 'sec-fetch-site': 'same-origin' } });
  t.match(await response.json(), { base_url: api.baseUrl, tenant_id: api.tenantId, token: /\./ });
  const other = { headers: { 'sec-fetch-site': 'same-origin' } };
  t.equal((await fetch(`${server.origin}/token?as=operator`, other)).status, 404);
  const { port } = new URL(server.origin);
  t.equal(await statusOf(Number(port), `attacker.example:${port}`), 421, 'another host name, at the same address');
  t.equal(await statusOf(Number(port), `127.0.0.1:${port}`), 200);
  t.equal((await fetch(`${server.origin}/package.json`)).status, 404);
  t.equal((await fetch(`${server.origin}/`, { method: 'POST' })).status, 405);
  const policy = (await fetch(server.origin)).headers.get('content-security-policy') ?? '';
  t.match(policy, `connect-src 'self' ${api.baseUrl};`);
  t.notMatch(policy, 'unsafe');
});

/** The status for a Host header, which fetch does not let a caller set. */
async function statusOf(port: number, host: string): Promise<number | undefined> {
  const sent = request({ host: '127.0.0.1', port, path: '/', headers: { host } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}
