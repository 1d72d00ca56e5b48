import t, { type Test } from 'tap';
import { onboard } from '../../src/cli/onboard.js';
import { startTestService } from '../helpers/service.js';
import { recordTerminal } from './terminal.js';

/** The license number that logins send in states with the REST API. */

const service = await startTestService(t, {
  simulator: { state: 'fl', licenses: 60 },
  states: (environment) => ({ FL: { environments: { production: { ...environment, dialect: 'rest' } } } }),
});
const { ask, baseUrl, operatorKey, simulator } = service;
const { demo, control } = simulator;
const env = { BIOTRACK_CONNECT_URL: baseUrl, BIOTRACK_CONNECT_API_KEY: operatorKey };
const [location = '', other = ''] = control.rows({ ubi: demo.ubi }).map((row) => row.location);

async function run(
  t: Test,
  expected: number,
  tenantId: string,
  flags: Readonly<Record<string, string>>,
): Promise<void> {
  const terminal = recordTerminal({ env });
  const all = {
    tenant: tenantId,
    name: 'Shop',
    state: 'FL',
    environment: 'production',
    ubi: demo.ubi,
    strategy: 'one_per_vendor',
    username: demo.username,
    password: demo.password,
    ...flags,
  };
  const code = await onboard(
    Object.entries(all).map(([name, value]) => `--${name}=${value}`),
    terminal,
  );
  t.equal(code, expected, terminal.err.join('\n'));
}

t.test('the license number of a login', async (t) => {
  const tenantId = service.newId();
  const list = async () => (await ask('GET', `/v1/tenants/${tenantId}/credentials`)).body.data;
  // It is sent to BioTrack, which rejects it.
  await run(t, 1, tenantId, { 'login-license': 'MMTC-OTHER' });
  await run(t, 0, tenantId, { 'login-license': location });
  t.match(await list(), [{ username: demo.username, license_number: location, status: 'valid' }]);
  const { logins } = control.counters();
  await run(t, 0, tenantId, { 'login-license': location });
  await run(t, 0, tenantId, {});
  t.equal(control.counters().logins, logins, 'a second run changes nothing, also without the flag');
  await run(t, 0, tenantId, { 'login-license': other });
  const changed = await list();
  t.match(changed, [{ license_number: other, status: 'valid' }], 'another number is saved');
  t.equal(changed.length, 1);
});
