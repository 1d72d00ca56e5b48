import { setTimeout as delay } from 'node:timers/promises';
import { withTenant } from '../../src/db/database.js';
import { planSync } from '../../src/mapping/index.js';
import { applyPlan, loadSnapshot } from '../../src/modules/companies/index.js';
import { findDirectory, selectListedLicenses } from '../../src/modules/directory/index.js';
import type { Bout } from './lab.js';

export interface Benchmark {
  readonly key: string;
  readonly about: string;
  /** Milliseconds. Run in the order of the list: each stands on what the one before it left. */
  measure(bout: Bout): Promise<number>;
}

/** Often enough not to be seen in the result, seldom enough not to be seen in the load. */
const POLL_MS = 3;

export const SYNC_BENCHMARKS: readonly Benchmark[] = [
  {
    key: 'first_sync_vs_copy',
    about: 'a whole first sync: from POST …/syncs until the run has succeeded, simulator included',
    measure: (bout) => measureSync(bout, 'auto'),
  },
  {
    key: 'refresh_unchanged_vs_copy',
    about: 'a forced sync of an unchanged list where sync_check tells: from POST …/syncs until it has succeeded',
    measure: (bout) => measureSync(bout, 'force'),
  },
  {
    key: 'refresh_shuffled_vs_copy',
    about: 'the same where only the full list, with shuffled keys and rows, tells',
    async measure(bout) {
      bout.simulator.control.setOptions({ offersSyncCheck: false, shuffleKeys: true, shuffleRows: true });
      return measureSync(bout, 'force');
    },
  },
  {
    key: 'apply_vs_copy',
    about: "applying a first plan: from the transaction's begin to its commit, for a further tenant, planning aside",
    measure: measureApply,
  },
];

async function measureSync({ ask, tenantId }: Bout, refresh: 'auto' | 'force'): Promise<number> {
  const path = `/v1/tenants/${tenantId}/syncs`;
  const start = performance.now();
  let run = await ask('POST', path, { refresh });
  while (run.status === 'queued' || run.status === 'running') {
    await delay(POLL_MS);
    run = await ask('GET', `${path}/${run.id}`);
  }
  const elapsed = performance.now() - start;
  if (run.status === 'succeeded' || run.status === 'succeeded_with_warnings') return elapsed;
  throw new Error(`the run ended as ${run.status} (${run.reason})`);
}

async function measureApply({ service, strategy }: Bout): Promise<number> {
  const { db, newId } = service;
  const tenantId = newId();
  await withTenant(db, tenantId, (tx) =>
    tx
      .insertInto('tenants')
      .values({ tenant_id: tenantId, name: 'Bench', state: 'NM', environment: 'production' })
      .execute(),
  );
  const plan = await withTenant(db, tenantId, async (tx) => {
    const directory = await findDirectory(tx, 'NM', 'production');
    if (directory === undefined) throw new Error('nothing was synced yet');
    const listed = await selectListedLicenses(tx, directory.id);
    const snapshot = await loadSnapshot(tx, null);
    return planSync({ listed, snapshot, strategy, includeLabs: false, at: new Date().toISOString(), newId });
  });
  const start = performance.now();
  await withTenant(db, tenantId, (tx) => applyPlan(tx, tenantId, plan, { actor: 'bench', runId: newId() }));
  return performance.now() - start;
}
