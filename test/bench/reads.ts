import type pg from 'pg';
import { runStatement } from '../../src/db/single-statement.js';
import { toCompanyStatement } from '../../src/modules/companies/repository.js';
import type { Key } from './catalog.js';
import { type BenchChild, startBenchChild } from './child.js';
import type { BenchApi, BenchInstance, Lab } from './lab.js';
import type { LoadOptions, LoadResult } from './load-process.js';
import type { Recorder } from './report.js';
import type { SyncedInstance } from './sync.js';

export interface ReadOptions {
  readonly licenses: number;
  readonly repetitions: number;
  readonly seconds: number;
  readonly seed: number;
  /** Concurrent connections of the load generator. */
  readonly connections: number;
}

const WARM_UP_REQUESTS = 200;
/** The ORM takes much longer for each page, and reaches its full speed after fewer requests. */
const ORM_WARM_UP_REQUESTS = 25;
/** Many connections, also with a short duration: each 304 takes little time. */
const POLL_CONNECTIONS = 64;
/** The number of companies that are read by id. */
const IDS = 500;
const PAGE_SIZE = 100;

/** A synced tenant with the strategy `one_per_license`. */
interface ReadFixture {
  readonly instance: BenchInstance;
  readonly tenantId: string;
  /** The ids of some of its companies. */
  readonly ids: readonly string[];
}

async function createFixture(instance: BenchInstance): Promise<ReadFixture> {
  const tenantId = await instance.addTenant('one_per_license');
  await instance.sync(tenantId, 'auto');
  return prepareFixture({ instance, tenantId });
}

const prepareFixture = async ({
  instance,
  tenantId,
}: Pick<SyncedInstance, 'instance' | 'tenantId'>): Promise<ReadFixture> => {
  await instance.simulator.ask('setOptions', { shuffleKeys: false, shuffleRows: false });
  return { instance, tenantId, ids: await readIds(instance.owner, tenantId) };
};

/**
 * Measures the service and its rivals, which run in a separate process, one server at a time.
 * @param synced is reused if it has the requested size, and ended otherwise
 */
export async function benchReads(
  lab: Lab,
  recorder: Recorder,
  options: ReadOptions,
  synced: SyncedInstance | undefined,
): Promise<void> {
  const { licenses, seed } = options;
  const [rivals, load] = [startBenchChild('rivals-process.ts'), startBenchChild('load-process.ts')];
  try {
    const isReusable = synced?.licenses === licenses;
    if (!isReusable) await synced?.instance.end();
    const instance = isReusable ? synced.instance : await lab.startInstance({ licenses, seed });
    // Comparisons with servers that have no cache use a service without one. It starts while the fixture is prepared.
    const [first, reader] = await Promise.all([
      isReusable ? prepareFixture(synced) : createFixture(instance),
      instance.startApi(0),
    ]);
    let fixture = first;
    await benchRequests(fixture, { reader, rivals, load }, recorder, options).finally(reader.stop);
    // Before their database is dropped.
    await rivals.stop();
    if (licenses > BUSY_LICENSES) {
      await fixture.instance.end();
      fixture = await createFixture(await lab.startInstance({ licenses: BUSY_LICENSES, seed }));
    }
    await benchDuringSync(fixture, load, recorder, { ...options, licenses: Math.min(licenses, BUSY_LICENSES) });
    await fixture.instance.end();
  } finally {
    await load.stop();
    await rivals.stop();
  }
}

async function benchRequests(
  fixture: ReadFixture,
  { reader, rivals, load }: { readonly reader: BenchApi; readonly rivals: BenchChild; readonly load: BenchChild },
  recorder: Recorder,
  options: ReadOptions,
): Promise<void> {
  const { instance, tenantId, ids } = fixture;
  const { licenses, repetitions, seconds, connections } = options;
  const target = { databaseUrl: instance.databaseUrl, tenantId };
  const bareUrl = await rivals.ask<string>('startBare', target);
  const ormUrl = await rivals.ask<string>('startOrm', target);
  const list = `/v1/tenants/${tenantId}/companies`;
  const headers = { authorization: `Bearer ${instance.apiKey}` };
  const conditional = { ...headers, 'if-none-match': await readEtag(instance, list, headers) };
  const last = await findLastPage(fixture, list);

  const ask = (given: Partial<LoadOptions> & Pick<LoadOptions, 'baseUrl' | 'paths'>): Promise<LoadResult> =>
    load.ask<LoadResult>('run', { connections, seconds, status: 200, ...given });
  const read = (paths: readonly string[], more: Partial<LoadOptions> = {}): Promise<LoadResult> =>
    ask({ baseUrl: reader.baseUrl, paths, headers, ...more });
  const bare = (paths: readonly string[], more: Partial<LoadOptions> = {}): Promise<LoadResult> =>
    ask({ baseUrl: bareUrl, paths, ...more });
  const record = (key: Key, value: number): void => recorder.add(key, licenses, 'one_per_license', value);

  // Warm up by number of requests instead of time, because the first ones may take seconds.
  const warmUp = { amount: WARM_UP_REQUESTS };
  await Promise.all([
    read([list, `${list}/${ids[0]}`], warmUp),
    bare(['/companies', `/companies/${ids[0]}`], warmUp),
    ask({ baseUrl: instance.baseUrl, paths: [list, `${list}/${ids[0]}`], headers, ...warmUp }),
    ask({ baseUrl: instance.baseUrl, paths: [list], headers: conditional, status: 304, ...warmUp }),
    ask({ baseUrl: ormUrl, paths: ['/companies'], amount: Math.max(ORM_WARM_UP_REQUESTS, connections) }),
  ]);
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const one = await read(ids.map((id) => `${list}/${id}`));
    const oneBare = await bare(ids.map((id) => `/companies/${id}`));
    record('read_one_vs_bare_pg', one.perSecond / oneBare.perSecond);
    record('read_one_p99_ms', one.p99Ms);
    const page = await read([list]);
    const lastPage = await read([last]);
    record('page_1000_vs_page_1', lastPage.perSecond / page.perSecond);
    const pageBare = await bare(['/companies']);
    record('read_page_vs_bare_pg', page.perSecond / pageBare.perSecond);
    record('read_page_p99_ms', page.p99Ms);
    const pageOrm = await ask({ baseUrl: ormUrl, paths: ['/companies'] });
    record('read_page_vs_orm', page.perSecond / pageOrm.perSecond);
    const again = await ask({ baseUrl: instance.baseUrl, paths: [list], headers });
    record('read_page_again_vs_bare_pg', again.perSecond / pageBare.perSecond);
    const polling = { connections: POLL_CONNECTIONS };
    const poll = await ask({ baseUrl: instance.baseUrl, paths: [list], headers: conditional, status: 304, ...polling });
    const hello = await bare(['/hello'], polling);
    record('poll_304_vs_bare_fastify', poll.perSecond / hello.perSecond);
    record('poll_304_p99_ms', poll.p99Ms);
    await benchRoundTrips(instance, record, tenantId, ids, seconds);
    const single = { connections: 1 };
    const onePage = await read([list], single);
    const withTotal = await read([`${list}?include=total`], single);
    record('page_total_vs_page', onePage.perSecond / withTotal.perSecond);
    const packed = await read([list], { ...single, headers: { ...headers, 'accept-encoding': 'br' } });
    record('page_compressed_vs_page', onePage.perSecond / packed.perSecond);
    const search = await read([`${list}?q=${ABSENT_WORD}`], single);
    const sorted = await read([`${list}?sort=name`], single);
    const scansPerSecond = await countPerSecond(() => scanTexts(instance, tenantId), seconds);
    record('page_search_vs_scan', scansPerSecond / search.perSecond);
    record('page_sorted_vs_scan', scansPerSecond / sorted.perSecond);
    record('page_search_vs_page', onePage.perSecond / search.perSecond);
    record('page_sorted_vs_page', onePage.perSecond / sorted.perSecond);
  }
}

const ABSENT_WORD = 'zyzzyva';

/** Reads the searched text of every active company and license once, as the service would. */
const scanTexts = ({ db }: BenchInstance, tenantId: string): Promise<unknown> =>
  runStatement(db, tenantId, {
    text: `select (select count(*) from companies where tenant_id = $1 and archived_datetime is null and
                     (strpos(search_text, $2) > 0 or strpos(ubi_key, $2) > 0 or strpos(legal_search_text, $2) > 0)),
                  (select count(*) from company_licenses where tenant_id = $1 and active and
                     (strpos(search_text, $2) > 0 or strpos(license_key, $2) > 0 or strpos(ubi_key, $2) > 0))`,
    values: [tenantId, ABSENT_WORD],
  });

async function countPerSecond(run: () => Promise<unknown>, seconds: number): Promise<number> {
  const start = performance.now();
  let done = 0;
  for (; done === 0 || performance.now() < start + seconds * 1_000; done += 1) await run();
  return (done * 1_000) / (performance.now() - start);
}

async function readIds(owner: pg.Client, tenantId: string): Promise<string[]> {
  const { rows } = await owner.query<{ id: string }>(
    'select id from companies where tenant_id = $1 and archived_datetime is null order by md5(id::text) limit $2',
    [tenantId, IDS],
  );
  return rows.map(({ id }) => id);
}

async function readEtag({ baseUrl }: BenchInstance, list: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(new URL(list, baseUrl), { headers });
  return response.headers.get('etag') ?? '';
}

/** Follows the cursors in large pages, and returns the path of the last full page of the measured size. */
async function findLastPage({ instance: { ask, owner }, tenantId }: ReadFixture, list: string): Promise<string> {
  const { rows } = await owner.query<{ count: number }>(
    'select count(*)::int as count from companies where tenant_id = $1 and archived_datetime is null',
    [tenantId],
  );
  const offset = Math.floor((rows[0]?.count ?? 0) / PAGE_SIZE) * PAGE_SIZE - PAGE_SIZE;
  let next = list;
  for (let skipped = 0; skipped < offset; ) {
    const size = Math.min(500, offset - skipped);
    const url = new URL(next, 'http://any');
    url.searchParams.set('page[size]', String(size));
    const { next_page: page } = await ask('GET', `${url.pathname}${url.search}`);
    next = String(page);
    skipped += size;
  }
  const url = new URL(next, 'http://any');
  url.searchParams.set('page[size]', String(PAGE_SIZE));
  return `${url.pathname}${url.search}`;
}

/** Compares ways to set the tenant in Postgres, with the driver alone, one connection and one read at a time. */
async function benchRoundTrips(
  { db, owner }: BenchInstance,
  record: (key: Key, value: number) => void,
  tenantId: string,
  ids: readonly string[],
  seconds: number,
): Promise<void> {
  const client = await db.pool.connect();
  const read = (id: string) => {
    const { text, values } = toCompanyStatement(tenantId, id, 'active');
    return { text, values: [...values] };
  };
  const role = `set local role biotrack_app; set local app.tenant_id = '${tenantId}'`;
  const variants = {
    bare: (id: string): Promise<unknown> => owner.query(read(id)),
    four: async (id: string): Promise<void> => {
      await client.query('begin');
      await client.query(role);
      await client.query(read(id));
      await client.query('commit');
    },
    simple: (id: string): Promise<unknown> => runStatement(db, tenantId, toCompanyStatement(tenantId, id, 'active')),
  };
  const perSecond = async (readOne: (id: string) => Promise<unknown>): Promise<number> => {
    const end = performance.now() + seconds * 250;
    let done = 0;
    while (performance.now() < end) {
      await readOne(ids[done % ids.length] as string);
      done += 1;
    }
    return done;
  };
  const bare = await perSecond(variants.bare);
  record('round_trips_four_vs_bare', (await perSecond(variants.four)) / bare);
  client.release();
  record('round_trips_simple_vs_bare', (await perSecond(variants.simple)) / bare);
}

/** Few connections, so that latency measures the work of the server and not the queue of the load generator. */
const CALM_CONNECTIONS = 4;
const BUSY_LICENSES = 20_000;

/** Reads one tenant's companies while others run their first sync with a newly fetched list. */
async function benchDuringSync(
  { instance, tenantId, ids }: ReadFixture,
  load: BenchChild,
  recorder: Recorder,
  { licenses, repetitions, seconds }: ReadOptions,
): Promise<void> {
  const read = (more: Partial<LoadOptions> = {}): Promise<LoadResult> =>
    load.ask<LoadResult>('run', {
      baseUrl: instance.baseUrl,
      paths: ids.map((id) => `/v1/tenants/${tenantId}/companies/${id}`),
      headers: { authorization: `Bearer ${instance.apiKey}` },
      connections: CALM_CONNECTIONS,
      seconds,
      status: 200,
      ...more,
    });
  await instance.simulator.ask('setOptions', { offersSyncCheck: false });
  await read({ amount: WARM_UP_REQUESTS });
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const calm = await read();
    let isOver = false;
    const syncs = (async () => {
      while (!isOver) await instance.sync(await instance.addTenant('one_per_vendor'), 'force');
    })();
    const busy = await read();
    isOver = true;
    await syncs;
    recorder.add('read_p99_during_sync_vs_calm', licenses, 'one_per_vendor', busy.p99Ms / calm.p99Ms);
  }
}
