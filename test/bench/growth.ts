import { measureCopy } from './bare.js';
import type { BenchInstance, Lab } from './lab.js';
import type { Recorder } from './report.js';

export interface GrowthOptions {
  /** The number of tenants at the end of each step. */
  readonly tenants: readonly number[];
  /** The size of the state in which the tenants are. */
  readonly licensesOfTenants: number;
  readonly sizes: readonly number[];
  readonly seed: number;
}

export async function benchGrowth(lab: Lab, recorder: Recorder, options: GrowthOptions): Promise<void> {
  await benchTenants(lab, recorder, options);
  await benchMemory(lab, recorder, options);
  recordExponent(recorder, options.sizes);
}

/** Tenants of one state; requests all syncs of a step at once. */
async function benchTenants(
  lab: Lab,
  recorder: Recorder,
  { tenants, licensesOfTenants, seed }: GrowthOptions,
): Promise<void> {
  const instance = await lab.startInstance({ licenses: licensesOfTenants, seed });
  const before = await countLists(instance);
  let present = 0;
  for (const target of tenants) {
    const ids: string[] = [];
    while (present + ids.length < target) ids.push(await instance.addTenant('one_per_vendor'));
    present = target;
    const start = performance.now();
    const runs: string[] = [];
    for (const id of ids) runs.push(String((await instance.ask('POST', `/v1/tenants/${id}/syncs`, {})).id));
    for (const run of runs) await instance.untilCommitted(run);
    const each = (performance.now() - start) / ids.length;
    const copies: number[] = [];
    for (const id of ids.slice(-3)) copies.push(await measureCopy(instance.owner, id));
    const add = (key: 'next_10_tenants_vs_copy' | 'next_100_tenants_vs_copy' | 'next_500_tenants_vs_copy'): void => {
      for (const copy of copies) recorder.add(key, licensesOfTenants, 'one_per_vendor', each / copy);
    };
    if (target === 10) add('next_10_tenants_vs_copy');
    if (target === 100) add('next_100_tenants_vs_copy');
    if (target === 500) add('next_500_tenants_vs_copy');
    if (target !== tenants.at(-1)) continue;
    const wait = await readLongestWaitMs(instance, runs);
    recorder.add('queue_wait_per_tenant_ms', licensesOfTenants, 'one_per_vendor', wait / ids.length);
  }
  if (present === 500) {
    const lists = (await countLists(instance)) - before;
    recorder.add('list_calls_for_500_tenants', licensesOfTenants, 'one_per_vendor', lists);
  }
  await instance.end();
}

/** Excludes the requests that verify a login: they ask for transactions after the last one, and get an empty list. */
const countLists = ({ simulator }: BenchInstance): Promise<number> => simulator.ask<number>('wholeLists');

async function readLongestWaitMs({ owner }: BenchInstance, runs: readonly string[]): Promise<number> {
  const { rows } = await owner.query<{ wait: number }>(
    `select max(extract(epoch from started_datetime - requested_datetime))::float8 * 1000 as wait
       from sync_runs where id = any($1::uuid[])`,
    [runs],
  );
  return rows[0]?.wait ?? 0;
}

/** The kernel's peak resident memory of a new worker process. */
async function benchMemory(lab: Lab, recorder: Recorder, { sizes, seed }: GrowthOptions): Promise<void> {
  const licenses = Math.max(...sizes);
  const instance = await lab.startInstance({ licenses, seed, isFresh: true });
  const tenantId = await instance.addTenant('one_per_vendor');
  const idle = await instance.worker.ask<number>('residentBytes');
  await instance.sync(tenantId, 'auto');
  const peak = await instance.worker.ask<number>('peakResidentBytes');
  const body = await instance.simulator.ask<number>('largestBody');
  recorder.add('rss_vs_body', licenses, 'one_per_vendor', (peak - idle) / body);
  await instance.end();
}

function recordExponent(recorder: Recorder, sizes: readonly number[]): void {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  if (least === most) return;
  for (const strategy of ['one_per_license', 'one_per_vendor']) {
    const small = recorder.medianOf('first_sync_ms', least, strategy);
    const large = recorder.medianOf('first_sync_ms', most, strategy);
    if (small === undefined || large === undefined) continue;
    recorder.add('growth_exponent', most, strategy, Math.log(large / small) / Math.log(most / least));
  }
}
