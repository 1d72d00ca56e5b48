import { execFile } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { CATALOG, isReached, type Key } from '../bench/catalog.js';
import { Recorder, summarizeRatios, toJson } from '../bench/report.js';
import { IS_THINNED } from '../helpers/counts.js';

/** The benchmark runs and reports its figures. Only `npm run bench` compares the figures with their goals. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

async function bench(...options: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'test/bench/run.ts', ...options], {
    cwd: ROOT,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}

t.test('--help lists every key', async (t) => {
  const help = await bench('--help');
  for (const key of Object.keys(CATALOG)) t.match(help, `  ${key} `);
});

t.test('a small run measures every key of its parts and prints one line of JSON last', async (t) => {
  const parts = IS_THINNED ? ['mapper'] : ['sync', 'growth', 'mapper'];
  const output = await bench(
    ...['--parts', parts.join(), '--licenses', '60', '--repetitions', '1', '--tenants', '1,3', '--json'],
  );
  const figures = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
  // These need several sizes or more tenants.
  const absent = ['growth_exponent', 'list_calls_for_500_tenants', 'next_10_tenants_vs_copy'];
  absent.push('next_100_tenants_vs_copy', 'next_500_tenants_vs_copy');
  for (const [key, { part }] of Object.entries(CATALOG)) {
    if (!parts.includes(part) || absent.includes(key)) continue;
    t.ok(Number.isFinite(figures[key]), `${key}: ${figures[key]}`);
    t.match(output, `│ ${key} `);
  }
});

t.test('figures are summarized as documented', async (t) => {
  t.same(summarizeRatios([3, 1, 2]), { median: 2, least: 1, most: 3 });
  t.same(summarizeRatios([4, 1, 2, 3]), { median: 2.5, least: 1, most: 4 });
  const recorder = new Recorder();
  const add = (key: Key, licenses: number, strategy: string, value: number) =>
    recorder.add(key, licenses, strategy, value);
  add('apply_vs_copy', 1_000, 'one_per_license', 9);
  add('apply_vs_copy', 10_000, 'one_per_license', 1.2);
  add('apply_vs_copy', 10_000, 'one_per_vendor', 1.7);
  add('row_by_row_vs_ours', 10_000, 'one_per_license', 12);
  add('row_by_row_vs_ours', 10_000, 'one_per_vendor', 11);
  const json = JSON.parse(toJson(recorder.toResults(), {}));
  t.match(
    json,
    {
      apply_vs_copy: 1.7,
      row_by_row_vs_ours: 11,
      missed: ['apply_vs_copy 1000 one_per_license', 'apply_vs_copy 10000 one_per_vendor'],
    },
    'the largest size, with the worse of the two strategies',
  );
  t.ok(isReached({ is: 'exactly', figure: 1 }, 1, 1_000));
  t.notOk(isReached({ is: 'atLeast', figure: 2 }, 1.99, 1_000));
  t.equal(isReached({ is: 'atMost', figure: 1, fromLicenses: 100_000 }, 2, 1_000), undefined, 'too few licenses');
});
