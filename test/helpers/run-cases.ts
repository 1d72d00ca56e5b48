import type { SimulatorControl, SimulatorOptions } from '../../src/simulator/index.js';
import { Random } from '../../src/simulator/random.js';
import { readSeed } from './seed.js';
import { makeTenant, syncTenant, type TestService } from './service.js';

/** A tenant and a run for the fault tests, drawn from a seed. */
export interface RunCase {
  readonly seed: number;
  readonly strategy: 'one_per_license' | 'one_per_vendor';
  /** The tenant's first sync, or one that finds a few changes. */
  readonly isFirst: boolean;
  readonly simulator: SimulatorOptions;
  /** Names the seed. */
  readonly title: string;
}

/** Four consecutive seeds cover both strategies, each with a first sync and a later one. */
export function drawRunCases(many: number): RunCase[] {
  const first = readSeed();
  return Array.from({ length: many }, (_each, index) => toRunCase(first + index));
}

function toRunCase(seed: number): RunCase {
  const licenses = Random.of(seed, 'licenses').between(30, 150);
  const strategy = seed % 2 === 0 ? 'one_per_license' : 'one_per_vendor';
  const isFirst = Math.floor(seed / 2) % 2 === 0;
  const what = isFirst ? 'a first sync' : 'a later sync';
  return {
    seed,
    strategy,
    isFirst,
    simulator: { licenses, seed, offersSyncCheck: false },
    title: `TEST_SEED=${seed}: ${what} of ${licenses} licenses, ${strategy}`,
  };
}

/** Tenants with the same run before them: whatever befalls one of them, in the end all are alike. */
export async function makeTwins(service: TestService, { seed, strategy, isFirst }: RunCase, many: number) {
  const tenants: string[] = [];
  while (tenants.length < many) tenants.push(await makeTenant(service, 'credential', strategy));
  if (isFirst) return tenants;
  for (const tenantId of tenants) await syncTenant(service, tenantId);
  changeList(service.simulator.control, Random.of(seed, 'changes'));
  return tenants;
}

/** Few enough for the guard, and always one more company. */
function changeList(control: SimulatorControl, random: Random): void {
  const rows = [...control.rows()].filter(({ deleted, ubi }) => !deleted && ubi !== null && ubi.trim() !== '');
  const take = () => {
    const [row] = rows.splice(random.below(rows.length), 1);
    if (row === undefined) throw new Error('the list is too short');
    return row;
  };
  control.addVendor({ name: `New ${random.below(1_000)}`, sites: random.between(1, 3) });
  for (let left = random.between(1, 3); left > 0; left -= 1) {
    control.rename({ location: take().location, name: `Renamed ${random.below(1_000)}` });
  }
  if (random.chance(0.5)) control.sell({ location: take().location, toUbi: take().ubi as string });
  if (random.chance(0.5)) control.delete({ location: take().location });
}

/** What a tenant's runs have left, of which two tenants with the same history have the same. */
export async function readRunState({ sql }: Pick<TestService, 'sql'>, tenantId: string): Promise<object | undefined> {
  const [row] = await sql(
    `with whole as (
       select c.source_name, c.ubi, c.archived_datetime is null as here,
              array_agg(row(l.license_number, l.name, l.ubi, l.active)::text order by l.license_key)
                filter (where l.id is not null) as licenses
         from companies c left join company_licenses l on (l.tenant_id, l.company_id) = (c.tenant_id, c.id)
        where c.tenant_id = $1
        group by c.id, c.source_name, c.ubi, here
     )
     select (select count(*)::int from whole) as companies,
            (select md5(coalesce(string_agg(whole::text, ' ' order by whole::text), '')) from whole) as content,
            (select count(*)::int from company_licenses where tenant_id = $1) as licenses,
            (select count(*)::int from changes where tenant_id = $1) as changes,
            (select coalesce(max(seq), 0)::int - count(*)::int from changes where tenant_id = $1) as gaps`,
    [tenantId],
  );
  return row;
}
