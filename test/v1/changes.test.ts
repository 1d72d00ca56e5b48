import t from 'tap';
import { readEnv } from '../../src/config.js';
import { restartFeeds } from '../../src/operate.js';
import { isOwnOutcome, OWNERS } from '../helpers/contract.js';
import {
  checkReplica,
  EMPTY_REPLICA,
  FeedError,
  type Replica,
  readFeed,
  readFeedPage,
  readFeedTables,
} from '../helpers/feed.js';
import { makeTenant, startTestService, syncTenant, type TestResponse } from '../helpers/service.js';

type Body = TestResponse['body'];

const service = await startTestService(t, { simulator: { licenses: 120 } });
const { ask, sql, simulator, newId } = service;
const { control, demo } = simulator;

/** Changes three licenses of the state, then syncs. */
async function changeThree(tenantId: string): Promise<void> {
  const [sold, renamed, vanished] = control.rows({}).filter(({ deleted, location }) => !deleted && location !== '') as {
    location: string;
  }[];
  control.sell({ location: sold?.location ?? '', toUbi: demo.ubi });
  control.rename({ location: renamed?.location ?? '', name: `Another Name ${newId()}` });
  control.vanish({ location: vanished?.location ?? '' });
  await syncTenant(service, tenantId, { refresh: 'force' });
  control.restore({ location: vanished?.location ?? '' });
  await syncTenant(service, tenantId, { refresh: 'force' });
}

const pathOf = (tenantId: string): string => `/v1/tenants/${tenantId}/changes`;
const readAfter = (tenantId: string, { cursor }: Replica): Promise<TestResponse> =>
  ask('GET', `${pathOf(tenantId)}?page[after]=${cursor}`);
const codeOf = (read: Promise<unknown>): Promise<unknown> =>
  read.then(
    () => 'no error',
    (error) => (error instanceof FeedError ? error.code : error),
  );

t.test('a snapshot, then a tail', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const nothing = await ask('GET', pathOf(tenantId));
  t.match(nothing.body, { data: [], next_page: null, cursor: String, epoch: String }, 'nothing yet');
  const poll = { headers: { 'if-none-match': nothing.headers.get('etag') ?? '' } };
  t.equal((await ask('GET', pathOf(tenantId), poll)).status, 304, 'not modified');
  await syncTenant(service, tenantId);
  t.equal((await ask('GET', pathOf(tenantId), poll)).status, 200, 'modified');

  const first = await readFeed(service, tenantId);
  t.match(first.counts, { tail: 0 }, 'a first sync has no changes of its own');
  checkReplica(first, await readFeedTables(sql, tenantId));
  const { body } = await ask('GET', `${pathOf(tenantId)}?page[size]=1`);
  t.match(body.data, [
    { seq: first.seq, kind: 'company.snapshot', reason: null, before: null, actor: null, run_id: null },
  ]);
  const [company] = (await ask('GET', `/v1/tenants/${tenantId}/companies/${body.data[0].company_id}`)).body.licenses;
  t.ok(company, 'its company exists');

  await changeThree(tenantId);
  const tail = await readFeed(service, tenantId, first);
  checkReplica(tail, await readFeedTables(sql, tenantId));
  const { data } = (await readAfter(tenantId, first)).body;
  t.same(
    data.map(({ seq }: Body) => seq),
    data.map((_: Body, index: number) => first.seq + 1 + index),
    'without gaps',
  );
  for (const kind of ['license.transferred', 'license.deactivated', 'license.reactivated']) {
    t.ok(
      data.some((line: Body) => line.kind === kind),
      kind,
    );
  }
  t.ok(data.every(({ actor, run_id }: Body) => actor.startsWith('api_key:') && run_id !== null));
  t.same((await readAfter(tenantId, tail)).body.data, [], 'nothing after the end');

  for (const size of [1, 7, 500]) {
    const replica = await readFeed(service, tenantId, EMPTY_REPLICA, size);
    checkReplica(replica, await readFeedTables(sql, tenantId));
    t.equal(replica.seq, tail.seq, `page size ${size}`);
  }
});

t.test('a snapshot is consistent while the tenant changes', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  let replica = await readFeedPage(service, tenantId, EMPTY_REPLICA, 40);
  const { seq } = replica;
  await changeThree(tenantId);
  const manual = await ask('POST', `/v1/tenants/${tenantId}/companies`, { body: { name: 'Created later' } });
  t.equal(manual.status, 201);
  while (!replica.isCurrent) replica = await readFeedPage(service, tenantId, replica, 40);
  checkReplica(replica, await readFeedTables(sql, tenantId));
  t.ok(replica.counts.tail > 3, `${replica.counts.tail} changes since`);
  t.equal(replica.counts.tail, replica.seq - seq, 'which all follow the snapshot');
});

t.test('many companies that were created during a snapshot are skipped in few statements', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  for (const name of ['Early', 'Earlier']) {
    t.equal((await ask('POST', `/v1/tenants/${tenantId}/companies`, { body: { name } })).status, 201);
  }
  const first = await readFeedPage(service, tenantId, EMPTY_REPLICA, 1);
  t.match(first.counts, { snapshot: 1, tail: 0 });
  const many = 5_000;
  await sql(
    `with made as (
       insert into companies (tenant_id, id, origin, edited_name, display_name, name_group, search_text, is_own_company, created_reason, created_actor)
       select $1, ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'manual', 'Later ' || n, 'Later ' || n, 'later ' || n, 'later ' || n, false, 'first_seen', 'test'
         from generate_series(1, ${many}) n returning id)
     insert into changes (tenant_id, seq, kind, reason, company_id, after, actor)
     select $1, $2 + row_number() over (order by id), 'company.created', 'first_seen', id, '{}', 'test' from made`,
    [tenantId, first.seq],
  );
  await sql('update tenants set last_change_seq = last_change_seq + $2 where tenant_id = $1', [tenantId, many]);
  let statements = 0;
  const count = (client: { query: (...args: never[]) => unknown }): void => {
    const query = client.query.bind(client);
    client.query = (...args: never[]) => {
      statements += 1;
      return query(...args);
    };
  };
  service.service.db.pool.on('acquire', count as never);
  const next = await readFeedPage(service, tenantId, first, 1);
  service.service.db.pool.off('acquire', count as never);
  t.match(next.counts, { snapshot: 2, tail: 0 });
  t.ok(statements > 5 && statements < 60, `${statements} statements`);
  await sql('delete from tenants where tenant_id = $1', [tenantId]);
});

t.test('a position that the first sync has replaced', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const early = await ask('POST', `/v1/tenants/${tenantId}/companies`, { body: { name: 'Early' } });
  t.equal(early.status, 201);
  const before = await readFeed(service, tenantId);
  t.match(before.counts, { snapshot: 1, tail: 0 });
  await syncTenant(service, tenantId);
  t.match(await readAfter(tenantId, before), {
    status: 410,
    body: { code: 'feed_expired', detail: /without page\[after\]/ },
  });
  const again = await readFeed(service, tenantId);
  checkReplica(again, await readFeedTables(sql, tenantId));
});

t.test('a database that lost changes', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_license');
  await syncTenant(service, tenantId);
  const restorable = await readFeed(service, tenantId);
  await changeThree(tenantId);
  const lost = await readFeed(service, tenantId, restorable);
  // What a restored backup looks like to a reader: the last changes are gone.
  await sql('delete from changes where tenant_id = $1 and seq > $2', [tenantId, restorable.seq]);
  await sql(
    `update sync_runs set first_change_seq = null, last_change_seq = null
      where tenant_id = $1 and first_change_seq > $2`,
    [tenantId, restorable.seq],
  );
  await sql('update tenants set last_change_seq = $2 where tenant_id = $1', [tenantId, restorable.seq]);
  t.equal(await codeOf(readFeed(service, tenantId, lost)), 'feed_rewound', 'beyond the end');
  t.equal(await codeOf(readFeed(service, tenantId, restorable)), 'no error', 'not beyond it');

  const [company] = (await ask('GET', `/v1/tenants/${tenantId}/companies?page[size]=1`)).body.data;
  const one = `/v1/tenants/${tenantId}/companies/${company.id}`;
  for (let count = restorable.seq; count < lost.seq; count += 1) {
    const etag = (await ask('GET', one)).headers.get('etag') ?? '';
    const edited = await ask('PATCH', one, {
      body: { relationship_type: `type ${count}` },
      headers: { 'if-match': etag },
    });
    t.equal(edited.status, 200);
  }
  t.equal(await codeOf(readFeed(service, tenantId, lost)), 'feed_rewound', 'another change has its number');

  const lines: string[] = [];
  await restartFeeds(readEnv({ DATABASE_URL: service.databaseUrl }), (line) => lines.push(line));
  t.match(lines, [/^The change feeds of \d+ tenants begin again/]);
  t.equal(await codeOf(readFeed(service, tenantId, restorable)), 'feed_rewound', 'another epoch');
});

t.test('400 and 404', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const other = await makeTenant(service, 'tenant');
  const { cursor } = await readFeed(service, other);
  t.equal((await ask('GET', `${pathOf(tenantId)}?page[after]=x`)).body.code, 'invalid_cursor');
  t.equal(
    (await ask('GET', `${pathOf(tenantId)}?page[after]=${cursor}`)).body.code,
    'invalid_cursor',
    'another tenant',
  );
  t.equal((await ask('GET', `${pathOf(tenantId)}?after_seq=1`)).body.errors[0].pointer, '?after_seq');
  t.equal((await ask('GET', pathOf(newId()))).status, 404);
});

t.test('every documented response occurred', async (t) => {
  t.strictSame(service.contract.listUnseen(OWNERS['changes.test.ts'], isOwnOutcome), []);
});
