import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { makeTenant, startTestService, syncTenant, waitForRun } from '../helpers/service.js';
import { clearStalls, MOMENTS, placeStalls, stallAt } from '../helpers/stalls.js';

/** What happens to a run at each of its steps: an error is thrown. State before or after, no other. */

const service = await startTestService(t, {
  simulator: { licenses: 60, offersSyncCheck: false },
  patience: { runs: { attempts: 5, baseSeconds: 0.5, mostSeconds: 1 }, sweepMs: 200 },
});
const { ask, sql, simulator } = service;
const NOTHING = { companies: 0, licenses: 0, changes: 0 };

async function readState(tenantId: string): Promise<Record<string, number> | undefined> {
  const [row] = await sql<Record<string, number>>(
    `select (select count(*)::int from companies where tenant_id = $1) as companies,
            (select count(*)::int from company_licenses where tenant_id = $1) as licenses,
            (select count(*)::int from changes where tenant_id = $1) as changes`,
    [tenantId],
  );
  return row;
}

const example = await makeTenant(service);
await syncTenant(service, example);
const wanted = await readState(example);
await placeStalls(service);

t.test('an error at every step', async (t) => {
  for (const moment of MOMENTS) {
    const tenantId = await makeTenant(service);
    if (moment === 'fetching') {
      simulator.control.injectFault({ fault: 'missing_list', action: 'sync_vendor', times: 1 });
    } else await stallAt(service, tenantId, moment, 'throw');
    const { body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
    if (moment === 'queued') {
      // Nobody can take it up, so it stays where it is until somebody can.
      await pause(500);
      t.match((await ask('GET', `/v1/tenants/${tenantId}/syncs/${body.id}`)).body, { status: 'queued', attempt: 0 });
    } else {
      const run = await waitForRun(service, tenantId, body.id);
      t.match(run, { status: 'failed', reason: moment === 'fetching' ? 'list_empty' : 'internal' }, moment);
    }
    t.strictSame(await readState(tenantId), NOTHING, `${moment}: nothing was changed`);
    await clearStalls(service);
    t.match(await syncTenant(service, tenantId), { status: /^succeeded/ }, `${moment}: and the next one does it`);
    t.strictSame(await readState(tenantId), wanted, `${moment}: once`);
  }
});

t.test('fifty at once are one run', async (t) => {
  const rounds = process.env.TEST_LONG === '1' ? 20 : 2;
  const tenantId = await makeTenant(service);
  for (let round = 0; round < rounds; round += 1) {
    const before = simulator.control.counters();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } })),
    );
    const ids = new Set(answers.map(({ body }) => body.id));
    const ends = await Promise.all([...ids].map((id) => waitForRun(service, tenantId, id)));
    for (const { status } of ends) t.match(status, /^succeeded/);
    // Who asks when the run has ended already begins another one.
    const after = simulator.control.counters();
    t.ok(ids.size <= 2, `${ids.size} runs`);
    t.ok(after.listCalls - before.listCalls <= ids.size, 'a list call each');
  }
});
