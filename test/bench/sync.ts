import { v7 as uuidv7 } from 'uuid';
import type { BiotrackSession, VendorList } from '../../src/biotrack/index.js';
import { withTenant } from '../../src/db/database.js';
import { STRATEGIES, type Strategy } from '../../src/domain/strategy.js';
import { planSync, type SyncPlan } from '../../src/mapping/index.js';
import { createDirectoryService, findDirectory, selectListedLicenses } from '../../src/modules/directory/index.js';
import { loadSnapshot, savePlannedRows } from '../../src/plans/index.js';
import { emptyBareTables, measureCopy, measureStorage } from './bare.js';
import type { Key } from './catalog.js';
import { type BenchInstance, type Lab, STATE } from './lab.js';
import { Recorder } from './report.js';
import { type Load, openOrm, openPlatform, openQueryBuilder, openRowByRow, type Rival, readLoad } from './rivals.js';

export interface SyncOptions {
  readonly sizes: readonly number[];
  readonly repetitions: number;
  readonly seed: number;
  /** The size of the state for the warm-up, whose figures are discarded. */
  readonly warmUpLicenses: number;
  /** Larger sizes take minutes row by row, and show nothing new. */
  readonly rowByRowUpTo: number;
  /** Rivals take most of the time, and their ratios differ little between strategies; a quick run uses one. */
  readonly rivalStrategies: readonly Strategy[];
}

/** A running instance with a synced tenant, whose strategy is `one_per_license`. */
export interface SyncedInstance {
  readonly instance: BenchInstance;
  readonly licenses: number;
  readonly tenantId: string;
}

/** The last one is the strategy of the tenant that is returned for reads. */
const STRATEGY_ORDER: readonly Strategy[] = ['one_per_vendor', 'one_per_license'];

/** Returns the last instance, which the caller must end. */
export async function benchSync(
  lab: Lab,
  recorder: Recorder,
  options: SyncOptions,
): Promise<SyncedInstance | undefined> {
  await warmUp(lab, options);
  let synced: SyncedInstance | undefined;
  for (const licenses of options.sizes) {
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      for (const strategy of STRATEGY_ORDER) {
        await synced?.instance.end();
        const instance = await lab.startInstance({ licenses, seed: options.seed });
        const { copy, tenantId } = await benchRuns(instance, recorder, licenses, strategy);
        synced = { instance, licenses, tenantId };
        const applied = await benchApply(instance, strategy);
        recorder.add('apply_vs_copy', licenses, strategy, applied.elapsed / copy);
        const withRowByRow = licenses <= options.rowByRowUpTo && repetition === 0;
        if (options.rivalStrategies.includes(strategy))
          await benchRivals(instance, recorder, licenses, strategy, applied, withRowByRow);
      }
    }
  }
  return synced;
}

/** Runs everything once before measuring. */
async function warmUp(lab: Lab, { seed, warmUpLicenses: licenses }: SyncOptions): Promise<void> {
  const instance = await lab.startInstance({ licenses, seed });
  for (const strategy of STRATEGIES) await instance.sync(await instance.addTenant(strategy), 'force');
  const discarded = new Recorder();
  const applied = await benchApply(instance, 'one_per_license');
  await benchRivals(instance, discarded, licenses, 'one_per_license', applied, false);
  await instance.end();
}

interface Runs {
  /** Milliseconds of the COPY of the rows that the first sync wrote. */
  readonly copy: number;
  /** A tenant that keeps its strategy. */
  readonly tenantId: string;
}

async function benchRuns(
  instance: BenchInstance,
  recorder: Recorder,
  licenses: number,
  strategy: Strategy,
): Promise<Runs> {
  const { owner, worker, simulator } = instance;
  const tenantId = await instance.addTenant(strategy);
  const record = (key: Key, value: number): void => recorder.add(key, licenses, strategy, value);
  await worker.ask('watchEventLoop');
  const first = await instance.sync(tenantId, 'auto');
  record('event_loop_delay_ms', await worker.ask<number>('readEventLoopDelayMs'));
  record('first_sync_ms', first);
  const copy = await measureCopy(owner, tenantId);
  record('first_sync_vs_copy', first / copy);
  record('copy_ms', copy);

  // These leave the same rows as the first sync, so they are compared with its COPY.
  await worker.ask('readRoundTrips');
  record('refresh_unchanged_vs_copy', (await instance.sync(tenantId, 'force')) / copy);
  record('refresh_unchanged_round_trips', await worker.ask<number>('readRoundTrips'));
  await simulator.ask('setOptions', { offersSyncCheck: false, shuffleKeys: true, shuffleRows: true });
  record('refresh_shuffled_vs_copy', (await instance.sync(tenantId, 'force')) / copy);

  const next = await instance.addTenant(strategy);
  const before = await measureStorage(owner);
  record('next_tenant_vs_copy', (await instance.sync(next, 'auto')) / copy);
  const after = await measureStorage(owner);
  record('bytes_per_license', (after.bytes - before.bytes) / licenses);
  record('wal_per_license', (after.wal - before.wal) / licenses);

  await simulator.ask('renameOneOf', 100);
  await instance.sync(next, 'force');
  await worker.ask('readRoundTrips');
  const { wal } = await measureStorage(owner);
  record('delta_sync_vs_copy', (await instance.sync(tenantId, 'auto')) / copy);
  const { wal: changed } = await measureStorage(owner);
  record('delta_wal_per_change', (changed - wal) / Math.ceil(licenses / 100));
  record('delta_round_trips', await worker.ask<number>('readRoundTrips'));
  record('nothing_new_vs_copy', (await instance.sync(tenantId, 'auto')) / copy);
  record('nothing_new_wal', (await measureStorage(owner)).wal - changed);
  record('nothing_new_round_trips', await worker.ask<number>('readRoundTrips'));
  const switched = await measureSwitch(instance, tenantId, strategy);
  record('switch_vs_copy', switched / (await measureCopy(owner, tenantId)));
  return { copy, tenantId: next };
}

/** Previews the switch, then applies the previewed plan. */
async function measureSwitch({ ask }: BenchInstance, tenantId: string, from: Strategy): Promise<number> {
  const path = `/v1/tenants/${tenantId}/company-creation-preference`;
  const strategy = from === 'one_per_license' ? 'one_per_vendor' : 'one_per_license';
  const start = performance.now();
  const { id } = await ask('POST', `${path}/preview`, { strategy });
  // The strategy was set once, so its version is 1.
  await ask('PUT', path, { strategy, preview_id: id }, '"1"');
  return performance.now() - start;
}

interface Applied {
  readonly tenantId: string;
  readonly elapsed: number;
}

async function benchApply({ db }: BenchInstance, strategy: Strategy): Promise<Applied> {
  const tenantId = uuidv7();
  const plan = await planFirst(db, tenantId, strategy);
  const start = performance.now();
  await withTenant(db, tenantId, (tx) => savePlannedRows(tx, tenantId, plan, { actor: 'bench', runId: uuidv7() }));
  return { tenantId, elapsed: performance.now() - start };
}

async function planFirst(db: BenchInstance['db'], tenantId: string, strategy: Strategy): Promise<SyncPlan> {
  return withTenant(db, tenantId, async (tx) => {
    await tx
      .insertInto('tenants')
      .values({ tenant_id: tenantId, name: 'Bench', state: STATE, environment: 'production' })
      .execute();
    const directory = await findDirectory(tx, STATE, 'production');
    if (directory === undefined) throw new Error('nothing was synced yet');
    const listed = await selectListedLicenses(tx, directory.id);
    const snapshot = await loadSnapshot(tx, null);
    return planSync({ listed, snapshot, strategy, includeLabs: false, at: new Date().toISOString(), newId: uuidv7 });
  });
}

/** Each rival writes the rows of our apply step into the bare tables, which have no row security. */
async function benchRivals(
  instance: BenchInstance,
  recorder: Recorder,
  licenses: number,
  strategy: Strategy,
  ours: Applied,
  withRowByRow: boolean,
): Promise<void> {
  const { owner, databaseUrl } = instance;
  const load = await readLoad(owner, ours.tenantId);
  const measure = async (rival: Rival, given: Load): Promise<number> => {
    const start = performance.now();
    await rival.write(given);
    return performance.now() - start;
  };
  const record = (key: Key, elapsed: number, against: number): void =>
    recorder.add(key, licenses, strategy, elapsed / against);
  const first = async (key: Key, rival: Rival): Promise<void> => {
    await emptyBareTables(owner, ours.tenantId);
    record(key, await measure(rival, load), ours.elapsed);
    if (key === 'platform_vs_ours') {
      const unchanged = await measureUnchanged(instance, load);
      record('platform_unchanged_vs_ours', await measure(rival, load), unchanged);
    }
    await rival.close();
  };
  if (withRowByRow) await first('row_by_row_vs_ours', await openRowByRow(databaseUrl));
  await first('query_builder_vs_ours', await openQueryBuilder(databaseUrl));
  await first('orm_bulk_vs_ours', await openOrm(databaseUrl, load));
  await first('platform_vs_ours', await openPlatform(databaseUrl));
}

/** Measures a directory refresh with an unchanged list in memory, the counterpart of the platform's unchanged rows. */
async function measureUnchanged({ db }: BenchInstance, load: Load): Promise<number> {
  const list = toVendorList(load);
  const session = { fetchVendors: async () => list } as BiotrackSession;
  const directories = createDirectoryService({ maxAgeSeconds: 0, guardRemovalPercent: 100 });
  const refresh = (): Promise<unknown> =>
    directories.ensureFresh(db, {
      target: { state: STATE, environment: 'training' },
      openSession: async () => session,
      includeLabs: false,
      force: true,
    });
  await refresh();
  const start = performance.now();
  await refresh();
  return performance.now() - start;
}

function toVendorList({ rows }: Load): VendorList {
  const vendors = rows.company_licenses.map((row, index) => ({
    licenseNumber: String(row.license_number),
    ubi: row.ubi as string | null,
    name: row.name as string | null,
    licenseType: row.license_type as string | null,
    licenseTypeRaw: row.license_type_raw as string | null,
    activities: [],
    address: {
      line1: row.address_line1 as string | null,
      line2: row.address_line2 as string | null,
      city: row.city as string | null,
      state: row.address_state as string | null,
      zip: row.zip as string | null,
    },
    isDeleted: false,
    isLab: false,
    transactionId: String(1_000_000 + index),
    transactionIdOriginal: row.transaction_id_original as string | null,
  }));
  return { vendors, partlyRead: [], skips: [], skippedDigests: [], fetched: vendors.length, transactionSum: null };
}
