import t from 'tap';
import { readEnv } from '../../src/config.js';
import { runStatement } from '../../src/db/single-statement.js';
import { MAX_SCANNED_CHANGES, toFilteredTailStatement } from '../../src/modules/changes/filtered-tail-repository.js';
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

interface Part {
  readonly data: Body[];
  readonly cursor: string;
  readonly pages: number;
}

/** Reads a filtered feed from the beginning or from a cursor to the end. */
async function readPart(tenantId: string, query: string, size: number, after?: string): Promise<Part> {
  const data: Body[] = [];
  const from = after === undefined ? '' : `&page[after]=${after}`;
  let cursor = '';
  let pages = 0;
  for (let next: string | null = `${pathOf(tenantId)}?page[size]=${size}&${query}${from}`; next !== null; pages += 1) {
    const { status, body }: TestResponse = await ask('GET', next);
    if (status !== 200) throw new FeedError(body.code);
    data.push(...body.data);
    cursor = body.cursor;
    next = body.next_page;
  }
  return { data, cursor, pages };
}

t.test('filters: the changes that match, without a snapshot', async (t) => {
  const tenantId = await makeTenant(service, 'credential', 'one_per_vendor');
  const early = await readPart(tenantId, 'kind=company.created', 10);
  t.strictSame(early.data, [], 'nothing yet');
  await syncTenant(service, tenantId);
  t.equal(await codeOf(readPart(tenantId, 'kind=company.created', 10, early.cursor)), 'feed_expired');
  const begin = await readFeed(service, tenantId);
  t.strictSame((await readPart(tenantId, 'kind=company.created,license.created', 10)).data, [], 'no snapshot');

  const change = async (): Promise<void> => {
    const [foreign] = control.rows({}).filter(({ deleted, ubi }) => !deleted && ubi !== demo.ubi) as {
      location: string;
    }[];
    control.sell({ location: foreign?.location ?? '', toUbi: demo.ubi });
    await changeThree(tenantId);
    const made = await ask('POST', `/v1/tenants/${tenantId}/companies`, { body: { name: `Manual ${newId()}` } });
    t.equal(made.status, 201);
  };
  await change();
  const all = (await readAfter(tenantId, begin)).body.data;
  const departure = all.find(
    ({ kind, before }: Body) => kind === 'license.transferred' && before.company_id !== undefined,
  );
  t.ok(departure, 'a license moved to another company');
  const isOf = (id: string) => (line: Body) =>
    line.company_id === id || (line.company_id !== line.before?.company_id && line.before?.company_id === id);
  const runIds = [...new Set<string>(all.flatMap(({ run_id: id }: Body) => id ?? []))];
  t.equal(runIds.length, 2);
  const [buyer, seller] = [departure.company_id, departure.before.company_id];
  const cases: [query: string, isWanted: (line: Body) => boolean][] = [
    ['kind=license.transferred', ({ kind }) => kind === 'license.transferred'],
    ['kind=company.created,license.updated', ({ kind }) => ['company.created', 'license.updated'].includes(kind)],
    [`company_id=${buyer}`, isOf(buyer)],
    [`company_id=${seller}`, isOf(seller)],
    [`company_id=${seller}&kind=license.transferred`, (line) => isOf(seller)(line) && line.kind === departure.kind],
    ...runIds.map((id): (typeof cases)[number] => [`run_id=${id}`, ({ run_id }) => run_id === id]),
    [`run_id=${runIds[0]}&company_id=${seller}`, (line) => line.run_id === runIds[0] && isOf(seller)(line)],
    [`run_id=${newId()}`, () => false],
    [`company_id=${newId()}`, () => false],
    ['kind=own_license.archived', () => false],
  ];
  const cursors = new Map<string, string>();
  for (const [query, isWanted] of cases) {
    const wanted = all.filter(isWanted);
    for (const size of [1, 2, 500]) {
      const part = await readPart(tenantId, query, size);
      t.strictSame(part.data, wanted, `${query} by ${size}`);
      cursors.set(query, part.cursor);
    }
  }

  // Readers continue where they were: they miss nothing and get nothing twice.
  const known = await readFeed(service, tenantId, begin);
  const url = `${pathOf(tenantId)}?kind=license.transferred&page[after]=${cursors.get('kind=license.transferred')}`;
  const poll = { headers: { 'if-none-match': (await ask('GET', url)).headers.get('etag') ?? '' } };
  t.equal((await ask('GET', url, poll)).status, 304, 'not modified');
  await change();
  t.equal((await ask('GET', url, poll)).status, 200, 'modified');
  const later = (await readAfter(tenantId, known)).body.data;
  for (const [query, isWanted] of cases) {
    const part = await readPart(tenantId, query, 2, cursors.get(query));
    t.strictSame(part.data, later.filter(isWanted), `${query}: later changes`);
    t.strictSame((await readPart(tenantId, query, 2, part.cursor)).data, [], `${query}: nothing after the end`);
  }

  await sql('delete from sync_runs where tenant_id = $1 and id = $2', [tenantId, runIds[0]]);
  t.strictSame(
    (await readPart(tenantId, `run_id=${runIds[0]}`, 2)).data,
    all.filter(({ run_id: id }: Body) => id === runIds[0]),
    'the changes of a deleted run',
  );
  for (const [name, value] of [
    ['kind', 'company.lost'],
    ['kind', 'company.snapshot'],
    ['company_id', 'x'],
    ['run_id', 'x'],
  ])
    t.match(
      await ask('GET', `${pathOf(tenantId)}?${name}=${value}`),
      { status: 400, body: { code: 'invalid_request', errors: [{ pointer: `?${name}` }] } },
      `${name}=${value}`,
    );
  for (const query of ['', 'kind=company.created&'])
    t.match(
      await ask('GET', `${pathOf(tenantId)}?${query}page[after]=${cursors.get('kind=license.transferred')}`),
      { status: 400, body: { code: 'invalid_cursor' } },
      'a cursor belongs to its filters',
    );
  t.equal(
    (await ask('GET', `${pathOf(tenantId)}?kind=license.transferred&page[after]=${known.cursor}`)).body.code,
    'invalid_cursor',
    'and that of the feed to the feed',
  );
  await sql('delete from tenants where tenant_id = $1', [tenantId]);
});

t.test('filters: a page looks at a limited part of a long feed', async (t) => {
  const tenantId = await makeTenant(service, 'tenant');
  const [company, other, run] = [newId(), newId(), newId()];
  const count = 2 * MAX_SCANNED_CHANGES + 5_000;
  await sql(
    `insert into changes (tenant_id, seq, kind, company_id, from_company_id, run_id, before, after, actor)
     select $1, n, case when n = $2 - 1 then 'company.archived' else 'company.updated' end,
            case when n % 5000 = 0 then $3::uuid else $4::uuid end, case when n % 5000 = 1 then $3::uuid end,
            case when n between 15000 and 15009 then $5::uuid end, '{}', '{}', 'test'
       from generate_series(1, $2::int) n`,
    [tenantId, count, company, other, run],
  );
  await sql('update tenants set last_change_seq = $2 where tenant_id = $1', [tenantId, count]);
  await sql(
    `insert into sync_runs (tenant_id, id, status, trigger, mode, refresh, strategy, step, requested_by,
       first_change_seq, last_change_seq)
     values ($1, $2, 'succeeded', 'request', 'full', 'auto', 'one_per_license', 'done', 'test', 15000, 15009)`,
    [tenantId, run],
  );
  const seqsOf = ({ data }: Part): number[] => data.map(({ seq }) => seq);
  const archived = await readPart(tenantId, 'kind=company.archived', 100);
  t.strictSame([seqsOf(archived), archived.pages], [[count - 1], 3], 'empty pages, then the change');
  const ofCompany = await readPart(tenantId, `company_id=${company}`, 100);
  const expected = Array.from({ length: count / 5_000 }, (_, index) => [5_000 * index + 1, 5_000 * (index + 1)]).flat();
  t.strictSame([seqsOf(ofCompany), ofCompany.pages], [expected, 1], 'an index finds the changes of a company');
  const ofRun = await readPart(tenantId, `run_id=${run}`, 100);
  t.strictSame([seqsOf(ofRun).length, ofRun.pages], [10, 1], 'the changes of a run are consecutive');
  t.strictSame((await readPart(tenantId, `run_id=${run}`, 100, ofRun.cursor)).pages, 1);

  for (const [filters, limit] of [
    [{ companyId: company }, 20],
    [{ runId: run }, 20],
    [{ kinds: ['company.archived'] }, MAX_SCANNED_CHANGES],
  ] as const) {
    const { text, values } = toFilteredTailStatement(tenantId, filters, undefined, 101);
    const explain = { text: `explain (analyze, format json) ${text}`, values };
    const [plan] = await runStatement<{ 'QUERY PLAN': unknown }>(service.service.db, tenantId, explain);
    const rows = [...JSON.stringify(plan).matchAll(/"(?:Actual Rows|Rows Removed by Filter)":\s*(\d+)/g)];
    const most = Math.max(...rows.map(([, number]) => Number(number)));
    t.ok(most <= limit, `${JSON.stringify(filters)}: looks at ${most} changes`);
  }
  await sql('delete from tenants where tenant_id = $1', [tenantId]);
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
