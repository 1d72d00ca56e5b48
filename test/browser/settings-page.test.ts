import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { createDemoHost, startPageServer } from '../../src/local/index.js';
import { findBrowser, NO_BROWSER, openBrowser } from '../helpers/browser.js';
import { FIRST_PUT, startTestService } from '../helpers/service.js';
import { findAccessibilityProblems } from './accessibility.js';

/** The example page in a real browser, on another origin than the API, from an empty tenant to a switch of the strategy. */

const browser = await findBrowser();
const screenshots = await mkdtemp(join(tmpdir(), 'settings-page-'));
const host = await createDemoHost();
const folder = t.testdir();
const BUNDLER = fileURLToPath(new URL('../../tools/bundle-page.mjs', import.meta.url));
t.equal(spawnSync(process.execPath, [BUNDLER, folder], { stdio: 'inherit' }).status, 0, 'the page is built');
const server = await startPageServer({ folder, host });
t.teardown(() => server.stop());
const service = await startTestService(t, {
  simulator: { licenses: 300 },
  corsOrigins: [server.origin],
  tokens: host.tokens,
});
const { ubi, username, password } = service.simulator.demo;
const tenantId = service.newId();
const tenant = { name: 'Demo', state: 'NM', environment: 'production' };
await service.ask('PUT', `/v1/tenants/${tenantId}`, { headers: FIRST_PUT, body: tenant });
server.open({ baseUrl: service.baseUrl, tenantId });

interface Opened {
  readonly page: Page;
  /** The calls of the API, without preflights, in their order. */
  readonly calls: string[];
  readonly errors: string[];
}

async function open(t: Test, role: string): Promise<Opened> {
  const context = await openBrowser(t, browser ?? '');
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const calls: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin === service.baseUrl)
      calls.push(`${request.method()} ${url.pathname.replace(/.*[\da-f-]{36}\//, '')}`);
  });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(`${server.origin}/?as=${role}`);
  await page.getByText(`Demo · demo-${role}`).waitFor();
  return { page, calls, errors };
}

/** Takes a screenshot of the whole page at the widths of a desktop and a phone, and looks for problems in both. */
async function check(t: Test, page: Page, name: string): Promise<void> {
  for (const width of [1_400, 375]) {
    await page.setViewportSize({ width, height: 1_000 });
    t.strictSame(await findAccessibilityProblems(page), [], `${name}: accessible at ${width} px`);
    await page.screenshot({ path: join(screenshots, `${name}-${width}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 1_400, height: 1_000 });
}

const options = browser === undefined ? { skip: NO_BROWSER } : {};

t.test('an admin sets up an empty tenant', options, async (t) => {
  t.comment(`screenshots: ${screenshots}`);
  const { page, calls, errors } = await open(t, 'admin');
  await page.getByText('0 companies').waitFor();
  t.strictSame([...calls].sort(), ['GET companies', 'GET overview'], 'two calls show the page of an empty tenant');
  await check(t, page, '1-empty');

  // Only with the keyboard: the skip link, then the first field.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.id'), 'ubi', 'the keyboard reaches the first field');
  t.notMatch(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none', 'focus is visible');
  await page.keyboard.type(ubi);
  await page.keyboard.press('Enter');
  await page.getByText('UBI: done').waitFor();

  await page.getByLabel('per license').check();
  await page.getByRole('button', { name: 'Save preference' }).click();
  await page.getByText('Companies to create: done').waitFor();

  const company = page.locator('#company-form');
  await company.getByLabel('Label').fill('Office');
  await company.getByLabel('BioTrack username').fill(username);
  await company.getByLabel('BioTrack password').fill('wrong');
  await company.getByRole('button', { name: 'Save company credential' }).click();
  const field = page.locator('#company-password');
  await page.locator('#company-password-error').waitFor();
  t.match(await page.locator('#company-password-error').textContent(), /rejected by BioTrack/);
  t.equal(await field.getAttribute('aria-invalid'), 'true', 'the error is at its field');
  t.equal(await field.getAttribute('aria-describedby'), 'company-password-error');
  t.equal(await page.evaluate('document.activeElement.id'), 'company-password', 'which has the focus');
  await check(t, page, '2-wrong-password');
  t.match(errors, [/422/], 'the browser reports the rejected call');
  errors.length = 0;
  await field.fill(password);
  await page.keyboard.press('Enter');
  await page.getByText('BioTrack accepted the login').waitFor();
  t.equal(await page.locator('.error:visible').count(), 0, 'the error is removed');

  await page.getByRole('button', { name: 'Compare both' }).click();
  await page.getByText(/Per vendor: \d+ companies/).waitFor();

  const boxes = page.getByRole('checkbox', { name: /^Add / });
  const count = await boxes.count();
  t.ok(count >= 3, 'the licenses of the UBI are listed');
  for (let index = 0; index < count; index += 1) await boxes.nth(index).check();
  await check(t, page, '3-licenses');
  await page.getByRole('button', { name: 'Add selected licenses' }).click();
  await page.getByText('The last sync succeeded').waitFor();
  t.ok(calls.includes('POST event-tickets'), 'the progress came through a ticket');
  const total = page.locator('#total');
  await page.getByText('First sync: done').waitFor();
  t.match(await total.textContent(), /^[1-9]\d+ companies$/, 'there are companies');
  await page.locator('#companies li').nth(19).waitFor();
  await page.getByRole('button', { name: 'Show more companies' }).click();
  await page.locator('#companies li').nth(39).waitFor();

  const toggle = page.getByLabel('Notify').first();
  const saved = page.waitForResponse((response) => response.request().method() === 'PATCH');
  await toggle.click();
  t.equal((await saved).status(), 200, 'a toggle is saved');

  await page.getByLabel('Search').fill('chain');
  await page.keyboard.press('Enter');
  await page.locator('#companies li').filter({ hasNotText: 'CHAIN' }).first().waitFor({ state: 'detached' });
  t.match(await page.locator('#companies li').first().textContent(), /CHAIN/, 'the search finds companies');

  await page.getByLabel('per vendor').check();
  await page.getByRole('button', { name: 'Save preference' }).click();
  await page
    .locator('#preview-items')
    .getByText(/ moves from .+ to /)
    .first()
    .waitFor();
  t.notMatch(
    await page.locator('#preview-items').textContent(),
    /[\da-f]{8}-[\da-f]{4}|null|(from|to) –( |$)/,
    'names, not ids',
  );
  t.match(errors, [/409/], 'the browser reports the call that requires a preview');
  errors.length = 0;
  await check(t, page, '4-preview');
  await page.getByRole('button', { name: 'Confirm the switch' }).click();
  await page.locator('#preview').waitFor({ state: 'hidden' });
  const { body } = await service.ask('GET', `/v1/tenants/${tenantId}/company-creation-preference`);
  t.equal(body.strategy, 'one_per_vendor', 'the switch is applied');
  t.strictSame(errors, [], 'no errors in the console');
});

t.test('a user reads the settings and saves their own credential', options, async (t) => {
  const { page, calls, errors } = await open(t, 'user');
  await page.locator('#licenses li').first().waitFor();
  t.strictSame(
    [...calls].sort(),
    ['GET available-licenses', 'GET companies', 'GET overview'],
    'three calls show the page',
  );
  t.equal(await page.locator('#ubi').inputValue(), ubi);
  t.ok(await page.locator('#ubi').isDisabled(), 'settings are read-only');
  t.equal(await page.locator('[data-admin] button:visible, .admin:visible').count(), 0, 'no buttons of an admin');
  t.equal(await page.locator('[data-admin] :is(input, select):enabled').count(), 0);
  const own = page.locator('#user-form');
  await own.getByLabel('Label').fill('Mine');
  await own.getByLabel('BioTrack username').fill(username);
  await own.getByLabel('BioTrack password').fill(password);
  await own.getByRole('button', { name: 'Save your credential' }).click();
  await page.locator('#user-list').getByText('Mine (').waitFor();
  await check(t, page, '5-user');
  t.strictSame(errors, [], 'no errors in the console');
});
