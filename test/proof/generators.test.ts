import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { startTestService } from '../helpers/service.js';

/**
 * The clients that generators make of `openapi/v1.json` as it is: they compile in strict mode and onboard a tenant.
 * `npm run check:clients` does the same with generators for other languages.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENT = join(ROOT, 'openapi/v1.json');
const run = promisify(execFile);

const service = await startTestService(t, { simulator: { licenses: 40 } });
const { baseUrl, operatorKey, simulator, newId } = service;
const { ubi, username, password } = simulator.demo;

const COMPILER_OPTIONS = {
  strict: true,
  target: 'ES2022',
  module: 'ESNext',
  moduleResolution: 'Bundler',
  lib: ['ES2022', 'DOM', 'DOM.Iterable'],
  types: ['node'],
  typeRoots: [join(ROOT, 'node_modules/@types')],
  noEmit: true,
  skipLibCheck: true,
};

/** The same steps with each client; each has its own shape of calls. Prints the number of companies. */
const HEY_API = `
import { client } from './client/client.gen.js';
import { createCredential, createLicenses, listAvailableLicenses, listCompanies, putCompanyCreationPreference, putTenant, putUbi, listSyncs } from './client/index.js';
const { BASE_URL, KEY, TENANT_ID, UBI, USERNAME, PASSWORD } = process.env as Record<string, string>;
client.setConfig({ baseUrl: BASE_URL, auth: KEY, throwOnError: true });
const path = { tenant_id: TENANT_ID };
const first = { 'if-none-match': '*' };
await putTenant({ path, headers: first, body: { name: 'Generated', state: 'NM', environment: 'training' }, throwOnError: true });
await putUbi({ path, headers: first, body: { ubi: UBI }, throwOnError: true });
await putCompanyCreationPreference({ path, headers: first, body: { strategy: 'one_per_license' }, throwOnError: true });
await createCredential({ path, body: { description: 'x', username: USERNAME, password: PASSWORD, owner: 'company' }, throwOnError: true });
const { data: offered } = await listAvailableLicenses({ path, throwOnError: true });
const licenses = offered.data.filter(({ state }) => state === 'available').map(({ license_number }) => ({ license_number }));
const { data: created } = await createLicenses({ path, body: { licenses }, throwOnError: true });
if (created.rejected !== 0) throw new Error(JSON.stringify(created));
for (;;) {
  const { data: runs } = await listSyncs({ path, throwOnError: true });
  if (runs.data[0]?.status === 'succeeded') break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const { data: companies } = await listCompanies({ path, query: { 'page[size]': 500, sort: 'name' }, throwOnError: true });
console.log(companies.data.length);
`;

const ORVAL = `
import { createCredential, createLicenses, listAvailableLicenses, listCompanies, listSyncs, putCompanyCreationPreference, putTenant, putUbi } from './client.js';
const { KEY, TENANT_ID, UBI, USERNAME, PASSWORD } = process.env as Record<string, string>;
const options = { headers: { authorization: \`Bearer \${KEY}\` } };
const first = { headers: { ...options.headers, 'if-none-match': '*' } };
const take = <R extends { status: number; data: unknown }, S extends number>(response: R, status: S): Extract<R, { status: S }>['data'] => {
  if (response.status !== status) throw new Error(JSON.stringify(response.data));
  return response.data as Extract<R, { status: S }>['data'];
};
take(await putTenant(TENANT_ID as string, { name: 'Generated', state: 'NM', environment: 'training' }, first), 201);
take(await putUbi(TENANT_ID as string, { ubi: UBI as string }, first), 201);
take(await putCompanyCreationPreference(TENANT_ID as string, { strategy: 'one_per_license' }, first), 201);
take(await createCredential(TENANT_ID as string, { description: 'x', username: USERNAME as string, password: PASSWORD as string, owner: 'company' }, options), 201);
const offered = take(await listAvailableLicenses(TENANT_ID as string, options), 200);
const licenses = offered.data.filter(({ state }) => state === 'available').map(({ license_number }) => ({ license_number }));
const created = take(await createLicenses(TENANT_ID as string, { licenses }, options), 200);
if (created.rejected !== 0) throw new Error(JSON.stringify(created));
for (;;) {
  const runs = take(await listSyncs(TENANT_ID as string, {}, options), 200);
  if (runs.data[0]?.status === 'succeeded') break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const companies = take(await listCompanies(TENANT_ID as string, { 'page[size]': 500, sort: 'name' }, options), 200);
console.log(companies.data.length);
`;

/** Compiles and runs the onboarding in its own process, and compares the companies that it printed with ours. */
async function checkOnboarding(t: Test, folder: string, script: string): Promise<void> {
  const tenantId = newId();
  await writeFile(join(folder, 'onboard.ts'), script);
  const config = { compilerOptions: COMPILER_OPTIONS, include: ['**/*.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]);
  const bundle = join(folder, 'onboard.mjs');
  const { build } = await import('esbuild');
  await build({
    entryPoints: [join(folder, 'onboard.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const env = {
    BASE_URL: baseUrl,
    KEY: operatorKey,
    TENANT_ID: tenantId,
    UBI: ubi,
    USERNAME: username,
    PASSWORD: password,
  };
  const { stdout } = await run(process.execPath, [bundle], { env: { ...process.env, ...env }, timeout: 60_000 });
  const companies = await service.ask('GET', `/v1/tenants/${tenantId}/companies?page[size]=500`);
  t.equal(stdout.trim(), String(companies.body.data.length));
  t.ok(companies.body.data.length > 10, `${stdout.trim()} companies`);
}

async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'generated-client-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

t.test('@hey-api/openapi-ts', async (t) => {
  const folder = await makeFolder(t);
  const { createClient } = await import('@hey-api/openapi-ts');
  await createClient({
    input: DOCUMENT,
    output: { path: join(folder, 'client') },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
    logs: { level: 'silent' },
  });
  await checkOnboarding(t, folder, HEY_API);
});

t.test('orval', async (t) => {
  const folder = await makeFolder(t);
  const { generate } = await import('orval');
  await generate({
    input: { target: DOCUMENT },
    output: { target: join(folder, 'client.ts'), client: 'fetch', mode: 'single', baseUrl },
  });
  await checkOnboarding(t, folder, ORVAL);
});
