import { hash } from 'node:crypto';
import createClient from 'openapi-fetch';
import t from 'tap';
import type { paths } from '../../clients/typescript/src/index.js';
import { findBrowser, NO_BROWSER, openBrowser } from '../helpers/browser.js';
import { startTestService } from '../helpers/service.js';

/** The docs page in a real browser, and the generated client. */

const service = await startTestService(t, { simulator: { licenses: 40 } });
const { baseUrl, operatorKey, simulator, newId } = service;

const browser = await findBrowser();
if (browser === undefined) t.comment(NO_BROWSER);

t.test('pages run only scripts of the service', async (t) => {
  for (const path of ['/docs/', '/docs/problems', '/docs/problems/not_found']) {
    const response = await fetch(new URL(path, baseUrl));
    const policy = response.headers.get('content-security-policy') ?? '';
    t.match(policy, /^default-src 'self'; script-src 'self'/, path);
    t.notMatch(policy, /script-src[^;]*unsafe/, path);
    const inline = [...(await response.text()).matchAll(/<script(?![^>]* src=)[^>]*>([\s\S]*?)<\/script>/g)];
    t.equal(inline.length, path === '/docs/' ? 1 : 0, path);
    for (const [, script = ''] of inline)
      t.ok(policy.includes(`'sha256-${hash('sha256', script, 'base64')}'`), `${path}: its script is allowed`);
  }
});

t.test('the docs page in a browser', browser === undefined ? { skip: NO_BROWSER } : {}, async (t) => {
  const context = await openBrowser(t, browser ?? '');
  const page = await context.newPage();
  const requested: string[] = [];
  const pageErrors: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('pageerror', (error) => pageErrors.push(error.message));

  await page.goto(`${baseUrl}/docs`);
  await page.getByRole('heading', { name: 'biotrack-connect' }).waitFor();
  for (const name of ['Tenants', 'Setup', 'Credentials', 'Licenses', 'Syncs', 'Companies', 'Operations']) {
    t.ok((await page.getByText(name, { exact: true }).count()) > 0, `${name} is shown`);
  }

  await page.getByPlaceholder('Token').first().fill(operatorKey);
  await page.getByRole('button', { name: /Test Request.*get \/v1\/states/s }).click();
  const responded = page.waitForResponse((response) => response.url() === `${baseUrl}/v1/states`);
  await page.getByRole('button', { name: 'Send' }).first().click();
  const response = await responded;
  t.equal(response.status(), 200, 'a request sent from the page succeeds');
  t.match(await response.json(), { data: [{ code: 'NM' }] });
  await page.getByText('200 OK').first().waitFor();
  if (process.env.DOCS_SCREENSHOT) await page.screenshot({ path: process.env.DOCS_SCREENSHOT });

  await page.goto(`${baseUrl}/docs/problems/setup_incomplete`);
  t.match(await page.textContent('h1'), 'setup_incomplete', 'a problem has a page');
  await page.getByRole('link', { name: 'All problems' }).click();
  await page.getByRole('link', { name: 'not_found' }).click();
  t.match(await page.textContent('h1'), 'not_found', 'all problems are linked');
  t.strictSame(
    requested.filter((url) => !url.startsWith(`${baseUrl}/`) && !url.startsWith('data:') && !url.startsWith('blob:')),
    [],
    'no third party is contacted',
  );
  t.strictSame(pageErrors, [], 'no script errors');
});

t.test('the whole setup with the generated client', async (t) => {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${operatorKey}` } });
  const { ubi, username, password } = simulator.demo;
  const path = { tenant_id: newId() };
  const first = { path, header: { 'if-none-match': '*' } };

  const tenant = await client.PUT('/v1/tenants/{tenant_id}', {
    params: first,
    body: { name: 'By the client', state: 'NM', environment: 'production' },
  });
  t.equal(tenant.response.status, 201);
  t.equal(tenant.data?.id, path.tenant_id);
  const todo = await client.GET('/v1/tenants/{tenant_id}/setup', { params: { path } });
  t.equal(todo.data?.next_step?.operation_id, 'putUbi', 'returns the next step');
  t.equal((await client.PUT('/v1/tenants/{tenant_id}/ubi', { params: first, body: { ubi } })).data?.ubi, ubi);
  const preference = await client.PUT('/v1/tenants/{tenant_id}/company-creation-preference', {
    params: first,
    body: { strategy: 'one_per_vendor' },
  });
  t.equal(preference.data?.strategy, 'one_per_vendor');

  const rejected = await client.POST('/v1/tenants/{tenant_id}/credentials', {
    params: { path },
    body: { description: 'office', username, password: 'wrong', owner: 'company' },
  });
  t.equal(rejected.error?.code, 'credentials_rejected', 'errors are typed, too');
  const credential = await client.POST('/v1/tenants/{tenant_id}/credentials', {
    params: { path, header: { 'idempotency-key': newId() } },
    body: { description: 'office', username, password, owner: 'company' },
  });
  t.equal(credential.data?.status, 'valid');

  const available = await client.GET('/v1/tenants/{tenant_id}/available-licenses', { params: { path } });
  for (const { license_number } of available.data?.data ?? []) {
    const license = await client.POST('/v1/tenants/{tenant_id}/licenses', {
      params: { path, header: { 'idempotency-key': newId() } },
      body: { license_number },
    });
    t.equal(license.data?.license_number, license_number);
  }
  const runs = await client.GET('/v1/tenants/{tenant_id}/syncs', { params: { path } });
  const id = runs.data?.data[0]?.id ?? '';
  let status = '';
  while (!['succeeded', 'succeeded_with_warnings', 'failed', 'needs_review'].includes(status)) {
    const run = await client.GET('/v1/tenants/{tenant_id}/syncs/{id}', { params: { path: { ...path, id } } });
    status = run.data?.status ?? '';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.match(status, /^succeeded/);
  const companies = await client.GET('/v1/tenants/{tenant_id}/companies', {
    params: { path, query: { 'page[size]': 500 } },
  });
  t.ok((companies.data?.data.length ?? 0) > 1, 'there are companies');
  t.ok(
    companies.data?.data.some(({ is_own_company }) => is_own_company),
    'the tenant’s own company is one of them',
  );
  const done = await client.GET('/v1/tenants/{tenant_id}/setup', { params: { path } });
  t.strictSame(
    done.data?.steps.map(({ status: step }) => step),
    done.data?.steps.map(() => 'done'),
    'all steps are done',
  );
});
