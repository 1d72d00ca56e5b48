/** What a key's figure has to be for its goal to be reached. */
export interface Goal {
  readonly is: 'atMost' | 'atLeast' | 'exactly';
  readonly figure: number;
}

export interface Entry {
  readonly part: Part;
  /** Its start and its end. */
  readonly about: string;
  readonly goal?: Goal;
}

export const PARTS = ['sync', 'reads', 'growth', 'mapper'] as const;
export type Part = (typeof PARTS)[number];

const atMost = (figure: number): Goal => ({ is: 'atMost', figure });
const atLeast = (figure: number): Goal => ({ is: 'atLeast', figure });

/** Every figure that the benchmark gives, by its key. */
export const CATALOG = {
  apply_vs_copy: {
    part: 'sync',
    goal: atMost(1.6),
    about: "applying a first plan: from the transaction's begin to its commit, for a further tenant, planning aside",
  },
  first_sync_vs_copy: {
    part: 'sync',
    goal: atMost(2),
    about: 'a whole first sync: from sending POST …/syncs until the run is committed, simulator included',
  },
  refresh_unchanged_vs_copy: {
    part: 'sync',
    goal: atMost(0.08),
    about: 'a forced sync of an unchanged list where sync_check tells: from POST …/syncs until the run is committed',
  },
  refresh_shuffled_vs_copy: {
    part: 'sync',
    goal: atMost(0.6),
    about: 'the same where only the full list, with shuffled keys and rows, tells',
  },
  delta_sync_vs_copy: {
    part: 'sync',
    goal: atMost(0.1),
    about: 'a sync after 1 % of the directory was renamed and refreshed for another tenant: from POST to commit',
  },
  nothing_new_vs_copy: {
    part: 'sync',
    goal: atMost(0.03),
    about: 'a sync with nothing new in a young directory: from POST …/syncs until the run is committed',
  },
  next_tenant_vs_copy: {
    part: 'sync',
    goal: atMost(1.6),
    about: 'the first sync of a further tenant of a state that is mirrored already: from POST to commit',
  },
  switch_vs_copy: {
    part: 'sync',
    goal: atMost(1.5),
    about: 'a switch to the other strategy: from sending the preview until the PUT with its preview_id is answered',
  },
  row_by_row_vs_ours: {
    part: 'sync',
    goal: atLeast(10),
    about: 'an upsert for each row, prepared, in one transaction: begin to commit, ÷ our applying of the same rows',
  },
  query_builder_vs_ours: {
    part: 'sync',
    goal: atLeast(2.5),
    about: "Kysely's upserts of 1,000 rows: begin to commit, ÷ our applying of the same rows",
  },
  orm_bulk_vs_ours: {
    part: 'sync',
    goal: atLeast(5),
    about: "TypeORM's Repository.upsert of 1,000 entities each: begin to commit, ÷ our applying of the same rows",
  },
  platform_vs_ours: {
    part: 'sync',
    goal: atLeast(1.8),
    about: 'a raw JSON stage by COPY, then typing and deduping into the tables: ÷ our applying of the same rows',
  },
  platform_unchanged_vs_ours: {
    part: 'sync',
    goal: atLeast(8),
    about:
      'the same again with equal rows, ÷ our laying the unchanged list over the directory (list in memory to commit)',
  },
  first_sync_ms: { part: 'sync', about: 'first_sync_vs_copy in milliseconds' },
  copy_ms: { part: 'sync', about: 'the bare COPY of the rows that a first sync leaves, in milliseconds' },
  event_loop_delay_ms: {
    part: 'sync',
    goal: atMost(200),
    about: 'the longest event-loop delay of the service during a first sync',
  },
  read_one_vs_bare_pg: {
    part: 'reads',
    goal: atLeast(0.5),
    about:
      'GET …/companies/{id}, random ids: requests per second ÷ a bare Fastify with pg, query and reply schema the same',
  },
  read_page_vs_bare_pg: {
    part: 'reads',
    goal: atLeast(0.6),
    about: 'GET …/companies, a page of 100 that is read each time: requests per second ÷ the same of the bare server',
  },
  read_page_again_vs_bare_pg: {
    part: 'reads',
    about:
      'a page that was sent before and is still so: requests per second ÷ the bare server, which reads it each time',
  },
  read_page_vs_orm: {
    part: 'reads',
    goal: atLeast(3),
    about: 'the same page: requests per second ÷ Express with TypeORM (find with relations)',
  },
  page_1000_vs_page_1: {
    part: 'reads',
    goal: atLeast(0.9),
    about: 'the last full page, by its cursor (page 1,000 of 100,000 licenses): requests per second ÷ page 1',
  },
  poll_304_vs_bare_fastify: {
    part: 'reads',
    goal: atLeast(0.15),
    about: 'GET …/companies with If-None-Match, answered 304: requests per second ÷ a Fastify that says hello',
  },
  read_one_p99_ms: { part: 'reads', about: 'p99 of GET …/companies/{id} in milliseconds' },
  read_page_p99_ms: { part: 'reads', about: 'p99 of GET …/companies in milliseconds' },
  poll_304_p99_ms: { part: 'reads', about: 'p99 of the 304 in milliseconds' },
  read_p99_during_sync_vs_calm: {
    part: 'reads',
    goal: atMost(1.5),
    about: 'p99 of GET …/companies/{id} of another tenant while first syncs of 20,000 licenses run, ÷ the same in calm',
  },
  round_trips_four_vs_bare: {
    part: 'reads',
    about: 'one company by pg alone, the tenant set in four round trips: per second ÷ the query without row security',
  },
  round_trips_simple_vs_bare: {
    part: 'reads',
    about: 'the same in one text of four statements with the values quoted in it (simple protocol)',
  },
  round_trips_pipelined_vs_bare: {
    part: 'reads',
    about: 'the same as the service does it: two statements, one write, one Sync (extended protocol)',
  },
  list_calls_for_500_tenants: {
    part: 'growth',
    goal: { is: 'exactly', figure: 1 },
    about: "calls for the state's list while 500 tenants of it make their first sync",
  },
  next_10_tenants_vs_copy: {
    part: 'growth',
    about: 'first syncs of tenants 2–10 of 2,000 licenses, together: wall time for each ÷ a COPY of its rows',
  },
  next_100_tenants_vs_copy: { part: 'growth', about: 'the same of tenants 11–100' },
  next_500_tenants_vs_copy: { part: 'growth', about: 'the same of tenants 101–500' },
  queue_wait_per_tenant_ms: {
    part: 'growth',
    about: 'the longest wait from request to start among the last of these tenants, ÷ how many were asked for at once',
  },
  growth_exponent: {
    part: 'growth',
    goal: atMost(1.1),
    about: 'of the time of first syncs from the smallest to the largest size (log of times ÷ log of licenses)',
  },
  rss_vs_body: {
    part: 'growth',
    goal: atMost(4),
    about: 'peak memory of a fresh service during its first sync of the largest size, less that at idle, ÷ the body',
  },
  mapper_licenses_per_second: { part: 'mapper', about: 'planSync alone, first plan: licenses per second' },
  mapper_unchanged_licenses_per_second: {
    part: 'mapper',
    about: 'planSync alone, nothing to do: licenses per second',
  },
} as const satisfies Record<string, Entry>;

export type Key = keyof typeof CATALOG;

export const entryOf = (key: Key): Entry => CATALOG[key];

export function isReached({ is, figure }: Goal, median: number): boolean {
  if (is === 'exactly') return median === figure;
  return is === 'atMost' ? median <= figure : median >= figure;
}

export const toGoalText = ({ is, figure }: Goal): string =>
  `${is === 'exactly' ? '=' : is === 'atMost' ? '≤' : '≥'} ${figure}`;
