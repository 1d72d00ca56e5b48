import type pg from 'pg';
import t from 'tap';
import { makeTenant, startTestService, syncTenant } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** How many messages a run sends to Postgres, with `begin` and `commit`: most of a small run's time is round trips. */

const api = await startTestService(t, { role: 'api', simulator: { licenses: 200 } });
const worker = await startTestService(t, { beside: api, role: 'worker' });

interface Work {
  readonly texts: string[];
  isOpen: boolean;
}

/** Transactions, and statements that are sent alone. */
let works: Work[] = [];

/** Of the sweeps, which run beside a sync. */
const OF_SWEEPS = /from "(schedules|sync_runs)"|"idempotency_keys"|"refused_usernames"/;

function record(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  let work: Work | undefined;
  const recording = (...args: unknown[]): unknown => {
    const [first] = args as [string | { text?: string }];
    const text = typeof first === 'string' ? first : (first.text ?? '');
    if (work === undefined) {
      work = { texts: [], isOpen: true };
      works.push(work);
    }
    work.texts.push(text);
    if (!work.texts[0]?.startsWith('begin') || /^(commit|rollback)/.test(text)) {
      work.isOpen = false;
      work = undefined;
    }
    return query(...args);
  };
  Object.assign(client, { query: recording });
}

const recorded = new WeakSet<pg.PoolClient>();
worker.service.db.pool.on('acquire', (client) => {
  if (!recorded.has(client)) record(client);
  recorded.add(client);
});

interface Sent {
  readonly statements: number;
  readonly transactions: number;
}

async function countRun(tenantId: string): Promise<Sent> {
  works = [];
  const { body } = await api.ask('POST', `/v1/tenants/${tenantId}/syncs`, { body: { refresh: 'auto' } });
  await until('the run has ended', async () => {
    const [run] = await api.sql('select status from sync_runs where id = $1', [body.id]);
    return run?.status === 'succeeded' || run?.status === 'succeeded_with_warnings';
  });
  await until('its last transaction has ended', async () => works.every(({ isOpen }) => !isOpen));
  const opening = `app.tenant_id = '${tenantId}'`;
  const own = works.filter(
    ({ texts: [first = '', ...others] }) => first.includes(opening) || !others.some((text) => OF_SWEEPS.test(text)),
  );
  return {
    statements: own.reduce((sum, { texts }) => sum + texts.length, 0),
    transactions: own.filter(({ texts }) => texts[0]?.startsWith('begin')).length,
  };
}

t.test('a run sends few statements in few transactions', async (t) => {
  const [first, next] = [await makeTenant(api), await makeTenant(api)];
  for (const [what, tenantId, limits] of [
    ['the first sync of a state', first, { statements: 45, transactions: 6 }],
    ['the first sync of another tenant', next, { statements: 29, transactions: 4 }],
    ['a sync that finds nothing new', first, { statements: 17, transactions: 3 }],
  ] as const) {
    const sent = await countRun(tenantId);
    t.comment(`${what}: ${sent.statements} statements, ${sent.transactions} transactions`);
    t.ok(sent.statements > 10, `${what}: statements are counted`);
    t.ok(sent.statements <= limits.statements, `${what}: ${sent.statements} statements`);
    t.ok(sent.transactions <= limits.transactions, `${what}: ${sent.transactions} transactions`);
  }
});

t.test('after an edit, a sync does as little as if nothing had been edited', async (t) => {
  const [tenantId, other] = [await makeTenant(api), await makeTenant(api)];
  await countRun(tenantId);
  const path = `/v1/tenants/${tenantId}/companies`;
  const edit = async (name: string | null): Promise<void> => {
    const { body } = await api.ask('GET', `${path}?page[size]=1`);
    const { headers } = await api.ask('GET', `${path}/${body.data[0].id}`);
    const ifMatch = { 'if-match': headers.get('etag') as string };
    const edited = await api.ask('PATCH', `${path}/${body.data[0].id}`, { body: { name }, headers: ifMatch });
    t.equal(edited.status, 200);
  };
  const readCompared = async (): Promise<unknown> =>
    (await api.sql('select compared_datetime::text from sync_states where tenant_id = $1', [tenantId]))[0];

  await edit('GREEN LEAF');
  const sent = await countRun(tenantId);
  t.ok(sent.statements <= 17, `${sent.statements} statements`);

  await edit(null);
  await api.sql(`update sync_states set compared_datetime = now() - interval '1 hour' where tenant_id = $1`, [
    tenantId,
  ]);
  const compared = await readCompared();
  const row = api.simulator.control.rows().at(-1);
  api.simulator.control.rename({ location: row?.location as string, name: 'NEWS' });
  await syncTenant(api, other, { refresh: 'force' });
  t.match((await syncTenant(api, tenantId)).counts, { updated: 1 }, 'news of the state are planned');
  t.strictSame(await readCompared(), compared, 'without planning the whole tenant');
});
