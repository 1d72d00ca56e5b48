import Table from 'cli-table3';
import { CATALOG, entryOf, isReached, type Key, toGoalText } from './catalog.js';

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Result extends Summary {
  readonly key: Key;
  readonly licenses: number;
  readonly strategy: string;
  readonly samples: number;
  /** Undefined where the key has no goal. */
  readonly reached: boolean | undefined;
}

export type Sample = Pick<Result, 'key' | 'licenses' | 'strategy'> & { readonly value: number };

/** Collects samples and summarizes them. */
export class Recorder {
  readonly #onSample: (sample: Sample) => void;
  readonly #samples = new Map<string, { key: Key; licenses: number; strategy: string; values: number[] }>();

  /** @param onSample called for each sample, to report progress */
  constructor(onSample: (sample: Sample) => void = () => undefined) {
    this.#onSample = onSample;
  }

  add(key: Key, licenses: number, strategy: string, value: number): void {
    this.#onSample({ key, licenses, strategy, value });
    const group = `${key} ${licenses} ${strategy}`;
    const found = this.#samples.get(group) ?? { key, licenses, strategy, values: [] };
    found.values.push(value);
    this.#samples.set(group, found);
  }

  medianOf(key: Key, licenses: number, strategy: string): number | undefined {
    const found = this.#samples.get(`${key} ${licenses} ${strategy}`);
    return found === undefined ? undefined : summarizeRatios(found.values).median;
  }

  /** In the order of the catalog. */
  toResults(): Result[] {
    const keys = Object.keys(CATALOG);
    return [...this.#samples.values()]
      .sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key) || a.licenses - b.licenses)
      .map(({ values, ...of }) => {
        const summary = summarizeRatios(values);
        const { goal } = entryOf(of.key);
        const reached = goal === undefined ? undefined : isReached(goal, summary.median, of.licenses);
        return { ...of, ...summary, samples: values.length, reached };
      });
  }
}

export function summarizeRatios(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const median = sorted.length % 2 === 0 ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
  return { median: round(median), least: round(at(0)), most: round(at(sorted.length - 1)) };
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;

export function renderTable(results: readonly Result[]): string {
  const table = new Table({
    head: ['key', 'licenses', 'strategy', 'median', 'min', 'max', 'n', 'goal', ''],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'left', 'right', 'right', 'right', 'right', 'left', 'left'],
  });
  for (const { key, licenses, strategy, median, least, most, samples, reached } of results) {
    const { goal } = entryOf(key);
    const figures = [median, least, most].map(toFigure);
    const verdict = reached === undefined ? '' : reached ? 'reached' : 'MISSED';
    table.push([key, licenses, strategy, ...figures, samples, goal === undefined ? '' : toGoalText(goal), verdict]);
  }
  return table.toString();
}

/** Each key at its largest size, with the worse of the two strategies; `results` has all figures, `missed` the missed goals. */
export function toJson(results: readonly Result[], about: Readonly<Record<string, unknown>>): string {
  const figures = new Map<Key, Result>();
  for (const result of results) {
    const known = figures.get(result.key);
    if (known === undefined || result.licenses > known.licenses || isWorse(result, known))
      figures.set(result.key, result);
  }
  const missed = results.filter(({ reached }) => reached === false).map(toGroupName);
  const keys = Object.fromEntries([...figures].map(([key, { median }]) => [key, median]));
  return JSON.stringify({ ...keys, missed, ...about, results });
}

const isWorse = (result: Result, known: Result): boolean => {
  if (result.licenses !== known.licenses) return false;
  const isLower = result.median < known.median;
  return entryOf(result.key).goal?.is === 'atLeast' ? isLower : !isLower;
};

const toGroupName = ({ key, licenses, strategy }: Result): string => `${key} ${licenses} ${strategy}`;

export const toFigure = (figure: number): string =>
  figure >= 100 ? figure.toFixed(0) : figure >= 10 ? figure.toFixed(1) : figure.toFixed(3);
