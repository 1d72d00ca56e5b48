import { parseArgs } from 'node:util';
import { startLab } from './lab.js';
import { renderTable, summarize } from './report.js';
import { SYNC_BENCHMARKS } from './sync-benchmarks.js';

const USAGE = `Measures the sync against a bare COPY of all the rows that it leaves behind (companies, licenses, vendor
companies, changes) into tables with the same keys, foreign keys and indexes, on the embedded Postgres with fsync on.
Both run in turns; what is shown is the median of the ratios, with the smallest and the largest.

Usage: npm run bench -- [options]

  --licenses <n,…>      sizes of the state (1000,10000)
  --repetitions <n>     of each measurement (5)
  --seed <n>            of the simulator (1)
  --quick               2000 licenses, 3 repetitions
  --json                the figures as one JSON object on the last line
  --help                this text

What each key measures, from its start to its end:
${SYNC_BENCHMARKS.map(({ key, about }) => `  ${key.padEnd(28)} ${about}`).join('\n')}
`;

const { values } = parseArgs({
  options: {
    licenses: { type: 'string' },
    repetitions: { type: 'string' },
    seed: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function toNumbers(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number > 0)) return numbers;
  throw new TypeError(`not a list of whole numbers: ${text}`);
}

async function bench(): Promise<void> {
  const sizes = toNumbers(values.licenses ?? (values.quick ? '2000' : '1000,10000'));
  const [repetitions = 5] = toNumbers(values.repetitions ?? (values.quick ? '3' : '5'));
  const [seed = 1] = toNumbers(values.seed);
  const lab = await startLab();
  const results = [];
  try {
    for (const licenses of sizes) {
      for (const strategy of ['one_per_license', 'one_per_vendor'] as const) {
        const ratios = new Map<string, number[]>(SYNC_BENCHMARKS.map(({ key }) => [key, []]));
        for (let repetition = 0; repetition < repetitions; repetition += 1) {
          const bout = await lab.play({ licenses, strategy, seed });
          for (const { key, measure } of SYNC_BENCHMARKS) {
            const ours = await measure(bout);
            ratios.get(key)?.push(ours / (await bout.measureCopy()));
          }
          await bout.end();
        }
        for (const [key, samples] of ratios) results.push({ key, licenses, strategy, ...summarize(samples) });
      }
    }
  } finally {
    await lab.stop();
  }
  print(renderTable(results));
  if (values.json) print(JSON.stringify({ seed, repetitions, results }));
}

if (values.help) print(USAGE);
else await bench();
