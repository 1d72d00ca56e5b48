import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { STRATEGIES } from '../../src/domain/strategy.js';
import { CATALOG, entryOf, type Key, PARTS, type Part, toGoalText } from './catalog.js';
import { renderChart } from './chart.js';
import { benchGrowth } from './growth.js';
import { startLab } from './lab.js';
import { benchMapper } from './mapper.js';
import { benchReads } from './reads.js';
import { Recorder, type Result, renderTable, toFigure, toJson } from './report.js';
import { benchSync, type SyncedInstance } from './sync.js';

const USAGE = `Measures the service and compares it with a bare COPY, bare servers and other approaches (rivals), on the embedded
Postgres with fsync and without statistics (no ANALYZE). Each repetition measures the service and its rivals. Prints the
median of the ratios of all repetitions, with the minimum and the maximum.

Usage: npm run bench -- [options]

  --licenses <n,…>      sizes of the state (default 1000,10000,100000)
  --repetitions <n>     repetitions of each measurement (default 3)
  --seed <n>            seed of the simulator (default 1)
  --parts <name,…>      parts to run: ${PARTS.join(', ')} (default all)
  --seconds <n>         duration of each read measurement, per repetition (default 3; 0.4 with --quick)
  --tenants <n,…>       numbers of tenants to grow to (default 1,10,100,500)
  --quick               sync and reads at 10,000 licenses, 1 repetition, rivals with one strategy
  --json                print the figures as one JSON object on the last line: each key at its largest size with the
                        worse of the two strategies; all figures in "results", missed goals in "missed"
  --write               write the table and the chart to docs/performance.md and docs/performance.svg
  --profile <folder>    write CPU profiles of the service processes; makes all figures worse
  --help                print this text

"… vs_copy" is a time ÷ the time of a bare COPY in the same repetition: of all companies, licenses and
vendor companies that the tenant then has into empty tables with the same keys, foreign keys and indexes and without row
security. Runs that leave the rows of the first sync use its COPY. "… vs_ours"
is the time of a rival ÷ ours: higher is better for us. Simulator and service run in separate processes on the same machine.

What each key measures, and its goal:
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
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function toNumbers(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number > 0)) return numbers;
  throw new TypeError(`not a list of positive integers: ${text}`);
}

function toParts(text: string): Part[] {
  return text.split(',').map((name) => {
    const part = PARTS.find((known) => known === name);
    if (part === undefined) throw new TypeError(`unknown part ${name}; known parts: ${PARTS.join(', ')}`);
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
  if (!(readSeconds > 0)) throw new TypeError(`--seconds must be a positive number: ${values.seconds}`);
  const start = performance.now();
  const toSeconds = (): number => Math.round((performance.now() - start) / 1000);
  const recorder = new Recorder(({ key, licenses, strategy, value }) =>
    process.stderr.write(`${toSeconds()} s: ${key}, ${licenses} licenses, ${strategy}: ${toFigure(value)}\n`),
  );
  const lab = await startLab(values.profile);
  try {
    let synced: SyncedInstance | undefined;
    if (parts.includes('sync')) {
      synced = await benchSync(lab, recorder, {
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
        // With many connections, a short measurement would end before most requests are answered.
        connections: quick ? 16 : 64,
      };
      await benchReads(lab, recorder, options, synced);
    } else {
      await synced?.instance.end();
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
  if (values.write)
    await writeResults(results, {
      command: `npm run bench -- ${process.argv.slice(2).join(' ')}`,
      repetitions,
      seconds,
    });
  if (values.json) print(toJson(results, { seed, repetitions, seconds }));
}

const DOCS = new URL('../../docs/', import.meta.url);

/** Replaces the results in `docs/performance.md`, and the chart beside it. */
async function writeResults(
  results: readonly Result[],
  {
    command,
    repetitions,
    seconds,
  }: { readonly command: string; readonly repetitions: number; readonly seconds: number },
): Promise<void> {
  const file = new URL('performance.md', DOCS);
  const text = await readFile(file, 'utf8');
  const missed = results.filter(({ reached }) => reached === false).length;
  const section = [
    `Printed on ${new Date().toISOString().slice(0, 10)} in ${seconds} seconds, with ${repetitions} repetition(s), on a machine with`,
    `${availableParallelism()} cores, by`,
    '',
    '```',
    command,
    '```',
    '',
    '```',
    renderTable(results),
    `${missed} goals missed`,
    '```',
  ].join('\n');
  const start = '<!-- results -->';
  const [before, after] = [text.indexOf(start), text.indexOf('<!-- /results -->')];
  if (before === -1 || after < before) throw new Error('docs/performance.md has no place for the results');
  await writeFile(file, `${text.slice(0, before + start.length)}\n${section}\n${text.slice(after)}`);
  await writeFile(new URL('performance.svg', DOCS), renderChart(results));
}

if (values.help) print(USAGE);
else await bench();
