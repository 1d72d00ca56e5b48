import t, { type Test } from 'tap';
import { startChild, writeFiles } from '../helpers/child.js';
import { pickCount } from '../helpers/counts.js';
import { makeTenant, startTestService, waitForRun } from '../helpers/service.js';

/** After a password was changed at BioTrack, all processes together send the old one once. */

const TENANTS = 24;
const ROUNDS = pickCount({ few: 3, full: 3, long: 50 });

for (const dialect of ['api4', 'rest'] as const) {
  for (const processes of [1, 2, 3]) {
    const title = `${dialect}, ${processes} processes: one wrong login`;
    t.test(title, { timeout: 120_000 + ROUNDS * 60_000 }, (t) => changePasswords(t, dialect, processes));
  }
}

async function changePasswords(t: Test, dialect: 'api4' | 'rest', processes: number): Promise<void> {
  const service = await startTestService(t, {
    role: 'api',
    simulator: { state: dialect === 'rest' ? 'fl' : 'nm', licenses: 40, offersSyncCheck: false },
    states: ({ url, origin_id }) => {
      const environment = { dialect, url, origin_id };
      return { NM: { environments: { production: environment, training: environment } } };
    },
  });
  const { ask, simulator, databaseUrl } = service;
  const { control, demo } = simulator;
  const files = await writeFiles(t, service, dialect);
  const workers = [];
  for (let started = 0; started < processes; started += 1) {
    workers.push(await startChild(t, { databaseUrl, files, role: 'worker' }));
  }
  const tenants: string[] = [];
  while (tenants.length < TENANTS) tenants.push(await makeTenant(service));

  let password = demo.password;
  for (let round = 1; round <= ROUNDS; round += 1) {
    password = `changed ${round}`;
    control.changePassword({ ...demo, password, endSessions: true });
    const before = control.counters().loginsRejected;
    const runs = await Promise.all(
      tenants.map(async (tenantId) => {
        const { body } = await ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'force' } });
        return { tenantId, id: body.id };
      }),
    );
    for (const { tenantId, id } of runs) {
      t.match(await waitForRun(service, tenantId, id), { status: 'failed', reason: 'credentials_rejected' });
    }
    t.equal(control.counters().loginsRejected - before, 1, `round ${round}: one wrong login`);
    for (const tenantId of tenants) await enterPassword(tenantId);
  }
  for (const worker of workers) t.equal(await worker.end(), 0);

  async function enterPassword(tenantId: string): Promise<void> {
    const path = `/v1/tenants/${tenantId}/credentials`;
    const [{ id, etag, status }] = (await ask('GET', path)).body.data;
    t.equal(status, 'rejected');
    const answer = await ask('PATCH', `${path}/${id}`, { headers: { 'if-match': etag }, body: { password } });
    t.match(answer, { status: 200, body: { status: 'valid' } });
  }
}
