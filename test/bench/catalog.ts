/** The condition that a key's median has to meet. */
export interface Goal {
  readonly is: 'atMost' | 'atLeast' | 'exactly';
  readonly figure: number;
  /** A short sync takes round trips more than work, so its ratio to a COPY is judged from this many licenses on. */
  readonly fromLicenses?: number;
}

export interface Entry {
  readonly part: Part;
  /** What is measured, from where to where. Printed by `--help`. */
  readonly about: string;
  readonly goal?: Goal;
}

export const PARTS = ['sync', 'reads', 'growth', 'mapper'] as const;
export type Part = (typeof PARTS)[number];

const atMost = (figure: number): Goal => ({ is: 'atMost', figure });
const atMostOfLarge = (figure: number): Goal => ({ ...atMost(figure), fromLicenses: 100_000 });
const atLeast = (figure: number): Goal => ({ is: 'atLeast', figure });

/** Every figure that the benchmark reports, by key. */
export const CATALOG = {
  apply_vs_copy: {
    part: 'sync',
    goal: atMost(1.6),
    about: 'applying the first plan of another tenant, without planning: from BEGIN to COMMIT',
  },
  first_sync_vs_copy: {
    part: 'sync',
    goal: atMost(1.8),
    about: 'a complete first sync, simulator included: from POST …/syncs until the run is committed',
  },
  refresh_unchanged_vs_copy: {
    part: 'sync',
    goal: atMostOfLarge(0.08),
    about:
      'a forced sync where sync_check shows that the list is unchanged: from POST …/syncs until the run is committed',
  },
  refresh_shuffled_vs_copy: {
    part: 'sync',
    goal: atMostOfLarge(0.6),
    about: 'the same without sync_check: the full list is fetched, with shuffled keys and rows, and compared',
  },
  delta_sync_vs_copy: {
    part: 'sync',
    goal: atMostOfLarge(0.1),
    about:
      'a sync after 1 % of the licenses were renamed and another tenant refreshed the directory: from POST to commit',
  },
  nothing_new_vs_copy: {
    part: 'sync',
    goal: atMostOfLarge(0.03),
    about: 'a sync with no changes and a fresh directory: from POST …/syncs until the run is committed',
  },
  next_tenant_vs_copy: {
    part: 'sync',
    goal: atMost(1.2),
    about: 'the first sync of another tenant of the same state, with a fresh directory: from POST to commit',
  },
  refresh_unchanged_round_trips: {
    part: 'sync',
    goal: atMost(40),
    about: 'messages that the worker sends to Postgres and waits for during refresh_unchanged, its sweeps included',
  },
  delta_round_trips: { part: 'sync', goal: atMost(50), about: 'the same for delta_sync' },
  nothing_new_round_trips: { part: 'sync', goal: atMost(25), about: 'the same for nothing_new' },
  nothing_new_wal: {
    part: 'sync',
    goal: atMost(6_800),
    about: 'the write-ahead log of nothing_new, in bytes; a scheduled check that finds nothing new writes no run',
  },
  bytes_per_license: {
    part: 'sync',
    goal: atMost(1_100),
    about: 'growth of all tables and indexes by the first sync of another tenant, in bytes per license',
  },
  wal_per_license: {
    part: 'sync',
    goal: atMost(1_500),
    about: 'the write-ahead log of the same sync, in bytes per license',
  },
  delta_wal_per_change: {
    part: 'sync',
    goal: atMost(3_000),
    about: 'the write-ahead log of delta_sync, in bytes per changed license',
  },
  switch_vs_copy: {
    part: 'sync',
    goal: atMost(1.5),
    about: 'a switch to the other strategy: from the preview request to the response of the PUT with its preview_id',
  },
  row_by_row_vs_ours: {
    part: 'sync',
    goal: atLeast(10),
    about: 'one prepared upsert per row, in one transaction: BEGIN to COMMIT, ÷ our apply step for the same rows',
  },
  query_builder_vs_ours: {
    part: 'sync',
    goal: atLeast(2.5),
    about: 'Kysely upserts of 1,000 rows each: BEGIN to COMMIT, ÷ our apply step for the same rows',
  },
  orm_bulk_vs_ours: {
    part: 'sync',
    goal: atLeast(5),
    about:
      'TypeORM Repository.upsert calls with 1,000 entities each: BEGIN to COMMIT, ÷ our apply step for the same rows',
  },
  platform_vs_ours: {
    part: 'sync',
    goal: atLeast(1.8),
    about:
      'COPY of raw JSON into a staging table, then typing, deduplicating and merging, ÷ our apply step for the same rows',
  },
  platform_unchanged_vs_ours: {
    part: 'sync',
    goal: atLeast(8),
    about:
      'the same with unchanged rows, ÷ our directory refresh with the unchanged list (from the list in memory to COMMIT)',
  },
  first_sync_ms: { part: 'sync', about: 'first_sync_vs_copy in milliseconds' },
  copy_ms: { part: 'sync', about: 'the bare COPY of the rows that a first sync writes, in milliseconds' },
  event_loop_delay_ms: {
    part: 'sync',
    goal: atMost(200),
    about: 'the longest event-loop delay of the worker process during a first sync',
  },
  read_one_vs_bare_pg: {
    part: 'reads',
    goal: atLeast(0.75),
    about:
      'GET …/companies/{id}, random ids: requests per second ÷ a bare Fastify with pg, same query and response schema',
  },
  read_page_vs_bare_pg: {
    part: 'reads',
    goal: atLeast(0.9),
    about: 'GET …/companies, a page of 100, without the page cache: requests per second ÷ the bare server',
  },
  read_page_again_vs_bare_pg: {
    part: 'reads',
    about: 'the same page, served from the page cache: requests per second ÷ the bare server, which has no cache',
  },
  read_page_vs_orm: {
    part: 'reads',
    goal: atLeast(3),
    about: 'the same page without the page cache: requests per second ÷ Express with TypeORM (find with relations)',
  },
  page_1000_vs_page_1: {
    part: 'reads',
    goal: atLeast(0.9),
    about: 'the last full page (page 1,000 of 100,000 licenses), by its cursor: requests per second ÷ page 1',
  },
  page_total_vs_page: {
    part: 'reads',
    goal: atMost(1.3),
    about:
      'GET …/companies?include=total without filters, a page of 100, one request at a time: time ÷ the page without the total',
  },
  page_search_vs_scan: {
    part: 'reads',
    goal: { ...atMost(1.8), fromLicenses: 10_000 },
    about:
      'GET …/companies?q=… with a word that no company contains, one request at a time: time ÷ one scan of the texts of all companies and licenses, as the service reads them',
  },
  page_sorted_vs_scan: {
    part: 'reads',
    goal: { ...atMost(1.8), fromLicenses: 10_000 },
    about: 'GET …/companies?sort=name, a page of 100, one request at a time: time ÷ the same scan',
  },
  page_compressed_vs_page: {
    part: 'reads',
    about: 'the page of 100 companies with Accept-Encoding: br: time ÷ the same page without it',
  },
  page_search_vs_page: { part: 'reads', about: 'the same search: time ÷ a page of 100 without a search' },
  page_sorted_vs_page: { part: 'reads', about: 'the same sorted page: time ÷ a page of 100 in the default order' },
  poll_304_vs_bare_fastify: {
    part: 'reads',
    goal: atLeast(0.15),
    about:
      'GET …/companies with If-None-Match, which returns 304: requests per second ÷ a Fastify that returns a constant',
  },
  read_one_p99_ms: { part: 'reads', about: 'p99 of GET …/companies/{id} in milliseconds' },
  read_page_p99_ms: { part: 'reads', about: 'p99 of GET …/companies in milliseconds' },
  poll_304_p99_ms: { part: 'reads', about: 'p99 of the 304 responses in milliseconds' },
  read_p99_during_sync_vs_calm: {
    part: 'reads',
    goal: atMost(1.5),
    about:
      'p99 of GET …/companies/{id} of one tenant during first syncs of 20,000 licenses by others, ÷ the same without syncs',
  },
  round_trips_four_vs_bare: {
    part: 'reads',
    about:
      'one company, driver only, the tenant set in four round trips: reads per second ÷ the query without row security',
  },
  round_trips_simple_vs_bare: {
    part: 'reads',
    about: 'the same as the service does it: two statements in one simple query, with the values quoted in its text',
  },
  list_calls_for_500_tenants: {
    part: 'growth',
    goal: { is: 'exactly', figure: 1 },
    about: 'calls that fetch the full list of a state while 500 of its tenants run their first sync',
  },
  next_10_tenants_vs_copy: {
    part: 'growth',
    about:
      'first syncs of tenants 2–10, 2,000 licenses each, requested at once: wall time per tenant ÷ a COPY of its rows',
  },
  next_100_tenants_vs_copy: { part: 'growth', about: 'the same for tenants 11–100' },
  next_500_tenants_vs_copy: { part: 'growth', about: 'the same for tenants 101–500' },
  queue_wait_per_tenant_ms: {
    part: 'growth',
    about: 'the longest wait from request to start in the last group of tenants, ÷ the number of tenants in the group',
  },
  growth_exponent: {
    part: 'growth',
    goal: atMost(1.1),
    about:
      'first syncs of the largest size compared with the smallest: log of the ratio of times ÷ log of the ratio of licenses',
  },
  rss_vs_body: {
    part: 'growth',
    goal: atMost(4),
    about:
      'peak memory of a new worker process during a first sync of the largest size, minus its idle memory, ÷ response size',
  },
  mapper_licenses_per_second: { part: 'mapper', about: 'planSync alone, first plan: licenses per second' },
  mapper_unchanged_licenses_per_second: {
    part: 'mapper',
    about: 'planSync alone, nothing changed: licenses per second',
  },
} as const satisfies Record<string, Entry>;

export type Key = keyof typeof CATALOG;

export const entryOf = (key: Key): Entry => CATALOG[key];

/** Undefined where the goal does not apply. */
export function isReached(
  { is, figure, fromLicenses = 0 }: Goal,
  median: number,
  licenses: number,
): boolean | undefined {
  if (licenses < fromLicenses) return undefined;
  if (is === 'exactly') return median === figure;
  return is === 'atMost' ? median <= figure : median >= figure;
}

export const toGoalText = ({ is, figure, fromLicenses }: Goal): string =>
  `${is === 'exactly' ? '=' : is === 'atMost' ? '≤' : '≥'} ${figure}${
    fromLicenses === undefined ? '' : ` from ${fromLicenses} licenses`
  }`;
