import { parseArgs } from 'node:util';
import { STRATEGIES } from '../../src/domain/strategy.js';
import { CATALOG, entryOf, type Key, PARTS, type Part, toGoalText } from './catalog.js';
import { benchGrowth } from './growth.js';
import { startLab } from './lab.js';
import { benchMapper } from './mapper.js';
import { benchReads } from './reads.js';
import { Recorder, renderTable, toFigure, toJson } from './report.js';
import { benchSync, type Leftover } from './sync.js';

const USAGE = `Measures the service against what the machine can do and what others do, on the embedded Postgres with fsync
on and nothing analysed. Rivals run in turns with ours; what is shown is the median of the ratios of each repetition,
with the smallest and the largest.

Usage: npm run bench -- [options]

  --licenses <n,…>      sizes of the state (1000,10000,100000)
  --repetitions <n>     of each measurement (3)
  --seed <n>            of the simulator and of what is read at random (1)
  --parts <name,…>      of ${PARTS.join(', ')} (all)
  --seconds <n>         that each kind of read is asked for, in each repetition (3; 0.4 with --quick)
  --tenants <n,…>       how many tenants grow to (1,10,100,500)
  --quick               sync and reads at 10,000 licenses, 1 repetition, rivals with one strategy
  --json                the figures as one JSON object on the last line: each key at its largest size and, of the
                        strategies, the one that does worse; all of them in "results", goals not reached in "missed"
  --profile <folder>    CPU profiles of the service's processes (each figure suffers from it)
  --help                this text

"… vs_copy" is a time ÷ the time of a bare COPY, in the same repetition, of all rows that the tenant then has (companies,
licenses, vendor companies, changes) into empty tables with the same keys, foreign keys and indexes and without row
security; runs that leave the rows of the first sync, or a few more changes, share its COPY. "… vs_ours" is the time of a rival ÷ ours: more is better for us. The simulator and the service are processes
of their own; all share the machine.

What each key measures, from its start to its end, and its goal:
${PARTS.map(describe).join('\n')}
`;

function describe(part: Part): string {
  const lines = (Object.keys(CATALOG) as Key[])
    .filter((key) => CATALOG[key].part === part)
    .map((key) => {
      const { about, goal } = entryOf(key);
      return `  ${key.padEnd(38)} ${about}${goal === undefined ? '' : ` (goal: ${toGoalText(goal)})`}`;
    });
  return [`\n${part}:`, ...lines].join('\n');
}

const { values } = parseArgs({
  options: {
    licenses: { type: 'string' },
    repetitions: { type: 'string' },
    seed: { type: 'string', default: '1' },
    parts: { type: 'string' },
    seconds: { type: 'string' },
    tenants: { type: 'string', default: '1,10,100,500' },
    profile: { type: 'string' },
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

function toParts(text: string): Part[] {
  return text.split(',').map((name) => {
    const part = PARTS.find((known) => known === name);
    if (part === undefined) throw new TypeError(`there is no part ${name}; there are ${PARTS.join(', ')}`);
    return part;
  });
}

async function bench(): Promise<void> {
  const { quick } = values;
  const sizes = toNumbers(values.licenses ?? (quick ? '10000' : '1000,10000,100000'));
  const [repetitions = 1] = toNumbers(values.repetitions ?? (quick ? '1' : '3'));
  const [seed = 1] = toNumbers(values.seed);
  const parts = toParts(values.parts ?? (quick ? 'sync,reads' : PARTS.join(',')));
  const readSeconds = Number(values.seconds ?? (quick ? 0.4 : 3));
  if (!(readSeconds > 0)) throw new TypeError(`no time to read in: ${values.seconds}`);
  const start = performance.now();
  const toSeconds = (): number => Math.round((performance.now() - start) / 1000);
  const recorder = new Recorder(({ key, licenses, strategy, value }) =>
    process.stderr.write(`${toSeconds()} s: ${key}, ${licenses} licenses, ${strategy}: ${toFigure(value)}\n`),
  );
  const lab = await startLab(values.profile);
  try {
    let left: Leftover | undefined;
    if (parts.includes('sync')) {
      left = await benchSync(lab, recorder, {
        sizes,
        repetitions,
        seed,
        warmUpLicenses: quick ? 200 : 2_000,
        rowByRowUpTo: 10_000,
        rivalStrategies: quick ? ['one_per_license'] : STRATEGIES,
      });
    }
    if (parts.includes('reads')) {
      const options = {
        licenses: Math.max(...sizes),
        repetitions,
        seconds: readSeconds,
        seed,
        // In a short time many that wait for their turn would be cut off before it.
        connections: quick ? 16 : 64,
      };
      await benchReads(lab, recorder, options, left);
    } else {
      await left?.bout.end();
    }
    if (parts.includes('growth')) {
      await benchGrowth(lab, recorder, { tenants: toNumbers(values.tenants), licensesOfTenants: 2_000, sizes, seed });
    }
    if (parts.includes('mapper')) {
      await benchMapper(recorder, { licenses: Math.max(...sizes), repetitions, seed });
    }
  } finally {
    await lab.stop();
  }
  const results = recorder.toResults();
  const seconds = toSeconds();
  print(renderTable(results));
  print(`${results.filter(({ reached }) => reached === false).length} goals missed; ${seconds} s`);
  if (values.json) print(toJson(results, { seed, repetitions, seconds }));
}

if (values.help) print(USAGE);
else await bench();
