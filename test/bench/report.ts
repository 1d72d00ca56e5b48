import Table from 'cli-table3';

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Result extends Summary {
  readonly key: string;
  readonly licenses: number;
  readonly strategy: string;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const median = sorted.length % 2 === 0 ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
  return { median: round(median), least: round(at(0)), most: round(at(sorted.length - 1)) };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

export function renderTable(results: readonly Result[]): string {
  const table = new Table({
    head: ['key', 'licenses', 'strategy', 'median', 'min', 'max'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'left', 'right', 'right', 'right'],
  });
  for (const { key, licenses, strategy, median, least, most } of results) {
    table.push([key, licenses, strategy, median.toFixed(2), least.toFixed(2), most.toFixed(2)]);
  }
  return table.toString();
}
