import type pg from 'pg';
import { queryAsTenant } from '../../src/db/single-statement.js';
import { toCompanyStatement } from '../../src/modules/companies/repository.js';
import type { Key } from './catalog.js';
import { type BenchChild, startBenchChild } from './child.js';
import type { BenchApi, Bout, Lab } from './lab.js';
import type { LoadOrder, LoadResult } from './load-process.js';
import type { Recorder } from './report.js';
import type { Leftover } from './sync.js';

export interface ReadOptions {
  readonly licenses: number;
  readonly repetitions: number;
  readonly seconds: number;
  readonly seed: number;
  /** That ask at once. */
  readonly connections: number;
}

const WARMING_REQUESTS = 200;
/** A page that takes an ORM so much longer is soon as fast as it gets. */
const WARMING_REQUESTS_OF_ORM = 25;
/** Many, in a short time too: none waits long for its turn. */
const POLLERS = 64;
/** So many of the companies are read by id, in turn. */
const IDS = 500;
const PAGE_SIZE = 100;

/** A tenant that has synced, its companies one for each license. */
interface Scene {
  readonly bout: Bout;
  readonly tenantId: string;
  /** Of some of its companies. */
  readonly ids: readonly string[];
}

async function setScene(bout: Bout): Promise<Scene> {
  const tenantId = await bout.addTenant('one_per_license');
  await bout.sync(tenantId, 'auto');
  return toScene({ bout, tenantId });
}

const toScene = async ({ bout, tenantId }: Pick<Leftover, 'bout' | 'tenantId'>): Promise<Scene> => {
  await bout.simulator.ask('setOptions', { shuffleKeys: false, shuffleRows: false });
  return { bout, tenantId, ids: await readIds(bout.owner, tenantId) };
};

/**
 * Rivals in a process of their own, one server asked at a time.
 * @param left of this size, its tenant is read; of another one, it is ended
 */
export async function benchReads(
  lab: Lab,
  recorder: Recorder,
  options: ReadOptions,
  left: Leftover | undefined,
): Promise<void> {
  const { licenses, seed } = options;
  const [rivals, load] = [startBenchChild('rivals-process.ts'), startBenchChild('load-process.ts')];
  try {
    const isThere = left?.licenses === licenses;
    if (!isThere) await left?.bout.end();
    const bout = isThere ? left.bout : await lab.play({ licenses, seed });
    // What is held against servers that read each time reads each time; what is sent again is measured as it is shipped.
    // It starts while the scene is set.
    const [first, reader] = await Promise.all([isThere ? toScene(left) : setScene(bout), bout.startApi(0)]);
    let scene = first;
    await benchRequests(scene, { reader, rivals, load }, recorder, options).finally(reader.stop);
    // Their connections would be cut off with the database.
    await rivals.stop();
    if (licenses > BUSY_LICENSES) {
      await scene.bout.end();
      scene = await setScene(await lab.play({ licenses: BUSY_LICENSES, seed }));
    }
    await benchDuringSync(scene, load, recorder, { ...options, licenses: Math.min(licenses, BUSY_LICENSES) });
    await scene.bout.end();
  } finally {
    await load.stop();
    await rivals.stop();
  }
}

async function benchRequests(
  scene: Scene,
  { reader, rivals, load }: { readonly reader: BenchApi; readonly rivals: BenchChild; readonly load: BenchChild },
  recorder: Recorder,
  options: ReadOptions,
): Promise<void> {
  const { bout, tenantId, ids } = scene;
  const { licenses, repetitions, seconds, connections } = options;
  const order = { databaseUrl: bout.databaseUrl, tenantId };
  const bareUrl = await rivals.ask<string>('startBare', order);
  const ormUrl = await rivals.ask<string>('startOrm', order);
  const list = `/v1/tenants/${tenantId}/companies`;
  const headers = { authorization: `Bearer ${bout.apiKey}` };
  const known = { ...headers, 'if-none-match': await readEtag(bout, list, headers) };
  const last = await findLastPage(scene, list);

  const ask = (given: Partial<LoadOrder> & Pick<LoadOrder, 'baseUrl' | 'paths'>): Promise<LoadResult> =>
    load.ask<LoadResult>('run', { connections, seconds, status: 200, ...given });
  const read = (paths: readonly string[], more: Partial<LoadOrder> = {}): Promise<LoadResult> =>
    ask({ baseUrl: reader.baseUrl, paths, headers, ...more });
  const bare = (paths: readonly string[], more: Partial<LoadOrder> = {}): Promise<LoadResult> =>
    ask({ baseUrl: bareUrl, paths, ...more });
  const record = (key: Key, value: number): void => recorder.add(key, licenses, 'one_per_license', value);

  // No server is judged by its first requests; these are of a number, since the first ones may take seconds.
  const warm = { amount: WARMING_REQUESTS };
  await Promise.all([
    read([list, `${list}/${ids[0]}`], warm),
    bare(['/companies', `/companies/${ids[0]}`], warm),
    ask({ baseUrl: bout.baseUrl, paths: [list, `${list}/${ids[0]}`], headers, ...warm }),
    ask({ baseUrl: bout.baseUrl, paths: [list], headers: known, status: 304, ...warm }),
    ask({ baseUrl: ormUrl, paths: ['/companies'], amount: Math.max(WARMING_REQUESTS_OF_ORM, connections) }),
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
    const again = await ask({ baseUrl: bout.baseUrl, paths: [list], headers });
    record('read_page_again_vs_bare_pg', again.perSecond / pageBare.perSecond);
    const many = { connections: POLLERS };
    const poll = await ask({ baseUrl: bout.baseUrl, paths: [list], headers: known, status: 304, ...many });
    const hello = await bare(['/hello'], many);
    record('poll_304_vs_bare_fastify', poll.perSecond / hello.perSecond);
    record('poll_304_p99_ms', poll.p99Ms);
    await benchRoundTrips(bout, record, tenantId, ids, seconds);
  }
}

async function readIds(owner: pg.Client, tenantId: string): Promise<string[]> {
  const { rows } = await owner.query<{ id: string }>(
    'select id from companies where tenant_id = $1 and archived_datetime is null order by md5(id::text) limit $2',
    [tenantId, IDS],
  );
  return rows.map(({ id }) => id);
}

async function readEtag({ baseUrl }: Bout, list: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(new URL(list, baseUrl), { headers });
  return response.headers.get('etag') ?? '';
}

/** By the largest pages, to the last one that is full in the size that is measured. */
async function findLastPage({ bout: { ask, owner }, tenantId }: Scene, list: string): Promise<string> {
  const { rows } = await owner.query<{ many: number }>(
    'select count(*)::int as many from companies where tenant_id = $1 and archived_datetime is null',
    [tenantId],
  );
  const behind = Math.floor((rows[0]?.many ?? 0) / PAGE_SIZE) * PAGE_SIZE - PAGE_SIZE;
  let next = list;
  for (let passed = 0; passed < behind; ) {
    const size = Math.min(500, behind - passed);
    const url = new URL(next, 'http://any');
    url.searchParams.set('page[size]', String(size));
    const { next_page: page } = await ask('GET', `${url.pathname}${url.search}`);
    next = String(page);
    passed += size;
  }
  const url = new URL(next, 'http://any');
  url.searchParams.set('page[size]', String(PAGE_SIZE));
  return `${url.pathname}${url.search}`;
}

/** How the tenant can be told to Postgres, by the driver alone, one connection and one read at a time. */
async function benchRoundTrips(
  { db, owner }: Bout,
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
  const quoted = (id: string): string =>
    read(id).text.replaceAll('$1', `'${tenantId}'::uuid`).replaceAll('$2', `'${id}'::uuid`);
  const role = `set local role biotrack_app; set local app.tenant_id = '${tenantId}'`;
  const ways = {
    bare: (id: string): Promise<unknown> => owner.query(read(id)),
    four: async (id: string): Promise<void> => {
      await client.query('begin');
      await client.query(role);
      await client.query(read(id));
      await client.query('commit');
    },
    simple: (id: string): Promise<unknown> => client.query(`begin; ${role}; ${quoted(id)}; commit`),
  };
  const perSecond = async (way: (id: string) => Promise<unknown>): Promise<number> => {
    const end = performance.now() + seconds * 250;
    let done = 0;
    while (performance.now() < end) {
      await way(ids[done % ids.length] as string);
      done += 1;
    }
    return done;
  };
  const bare = await perSecond(ways.bare);
  record('round_trips_four_vs_bare', (await perSecond(ways.four)) / bare);
  record('round_trips_simple_vs_bare', (await perSecond(ways.simple)) / bare);
  client.release();
  const pipelined = await perSecond((id) => queryAsTenant(db, tenantId, toCompanyStatement(tenantId, id, 'active')));
  record('round_trips_pipelined_vs_bare', pipelined / bare);
}

/** A reader who does not push, as people do not: what he waits for is work, not his own queue. */
const CALM_CONNECTIONS = 4;
const BUSY_LICENSES = 20_000;

/** One process serves and syncs: reads of one tenant, while others make their first sync from a list fetched anew. */
async function benchDuringSync(
  { bout, tenantId, ids }: Scene,
  load: BenchChild,
  recorder: Recorder,
  { licenses, repetitions, seconds }: ReadOptions,
): Promise<void> {
  const read = (more: Partial<LoadOrder> = {}): Promise<LoadResult> =>
    load.ask<LoadResult>('run', {
      baseUrl: bout.baseUrl,
      paths: ids.map((id) => `/v1/tenants/${tenantId}/companies/${id}`),
      headers: { authorization: `Bearer ${bout.apiKey}` },
      connections: CALM_CONNECTIONS,
      seconds,
      status: 200,
      ...more,
    });
  await bout.simulator.ask('setOptions', { offersSyncCheck: false });
  await read({ amount: WARMING_REQUESTS });
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const calm = await read();
    let isOver = false;
    const syncs = (async () => {
      while (!isOver) await bout.sync(await bout.addTenant('one_per_vendor'), 'force');
    })();
    const busy = await read();
    isOver = true;
    await syncs;
    recorder.add('read_p99_during_sync_vs_calm', licenses, 'one_per_vendor', busy.p99Ms / calm.p99Ms);
  }
}
