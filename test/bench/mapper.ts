import { hash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { BiotrackState } from '../../src/biotrack/index.js';
import { createBiotrack, parseStates } from '../../src/biotrack/index.js';
import { createIdSequence } from '../../src/domain/id-sequence.js';
import { Secret } from '../../src/domain/secret.js';
import { STRATEGIES } from '../../src/domain/strategy.js';
import { collateVendors, planSync, type Snapshot } from '../../src/mapping/index.js';
import { startBenchChild } from './child.js';
import { STATE } from './lab.js';
import type { Recorder } from './report.js';

export interface MapperOptions {
  readonly licenses: number;
  readonly repetitions: number;
  readonly seed: number;
}

/** Measures `planSync` without database and network. */
export async function benchMapper(recorder: Recorder, options: MapperOptions): Promise<void> {
  const { licenses, repetitions, seed } = options;
  const { licenses: listed } = collateVendors(await fetchVendors(licenses, seed), (text) => hash('sha256', text));
  const empty: Snapshot = { companies: [], licenses: [], vendorCompanies: [], decisions: [], ownUbiKey: null };
  const at = new Date();
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const strategy of STRATEGIES) {
      const plan = (snapshot: Snapshot) =>
        planSync({
          listed,
          snapshot,
          strategy,
          includeLabs: false,
          at: at.toISOString(),
          newId: createIdSequence(uuidv7(), at.getTime()),
        });
      const measure = (snapshot: Snapshot) => {
        const start = performance.now();
        const result = plan(snapshot);
        return { result, perSecond: (listed.length / (performance.now() - start)) * 1000 };
      };
      const first = measure(empty);
      recorder.add('mapper_licenses_per_second', licenses, strategy, first.perSecond);
      const { companies, licenses: steps, newVendorCompanies } = first.result;
      const unchanged = measure({
        ...empty,
        companies: companies.map(({ after }) => after),
        licenses: steps.map(({ after }) => after),
        vendorCompanies: newVendorCompanies,
      });
      recorder.add('mapper_unchanged_licenses_per_second', licenses, strategy, unchanged.perSecond);
    }
  }
}

async function fetchVendors(licenses: number, seed: number) {
  const simulator = startBenchChild('simulator-process.ts');
  const { url, demo } = await simulator.ask<{ url: string; demo: Record<'ubi' | 'username' | 'password', string> }>(
    'start',
    { state: 'nm', licenses, seed },
  );
  const states: readonly BiotrackState[] = parseStates({
    [STATE]: { environments: { production: { dialect: 'api4', url } } },
  });
  const biotrack = createBiotrack({ states });
  const session = await biotrack.openSession(
    { state: STATE, environment: 'production' },
    { ubi: demo.ubi, username: demo.username, password: new Secret(demo.password) },
  );
  const { vendors } = await session.fetchVendors();
  await biotrack.close();
  await simulator.stop();
  return vendors;
}
