import Table from 'cli-table3';
import type { CompanyCount } from './count-companies.js';
import type { OnboardingResult } from './onboard-tenant.js';
import { toPrintable } from './terminal.js';

const toNumber = (value: number): string => value.toLocaleString('en-US');

/** No colors, because tables are piped and pasted. */
const PLAIN = { head: [], border: [], compact: true };

/** One row for each tenant. */
export function toSummaryTable(results: readonly OnboardingResult[]): string {
  const table = new Table({
    head: ['tenant', 'id', 'strategy', 'companies', 'licenses', 'sync', 'time'],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'left', 'right'],
    style: PLAIN,
  });
  for (const result of results) {
    const { spec, durationMs } = result;
    const results = result.isDone
      ? [toNumber(result.count.companies), toNumber(result.count.licenses), result.run.status]
      : ['–', '–', `failed: ${result.step}`];
    const seconds = `${(durationMs / 1_000).toFixed(1)} s`;
    table.push([toPrintable(spec.name), spec.tenantId, spec.strategy, ...results, seconds]);
  }
  return table.toString();
}

export function toCompaniesTable({ companies, first }: CompanyCount): string {
  const table = new Table({
    head: ['company', 'UBI', 'licenses', 'city'],
    colAligns: ['left', 'left', 'right', 'left'],
    colWidths: [48, null, null, null],
    style: PLAIN,
  });
  for (const { display_name, ubi, licenses } of first) {
    const cities = new Set(
      licenses.flatMap(({ address }) => (address.city === null ? [] : [toPrintable(address.city)])),
    );
    const [city = '', ...others] = cities;
    const where = others.length === 0 ? city : `${city} and ${others.length} more`;
    table.push([toPrintable(display_name), toPrintable(ubi ?? ''), licenses.length, where]);
  }
  const more = companies - first.length;
  return more > 0 ? `${table.toString()}\n… and ${toNumber(more)} more` : table.toString();
}
