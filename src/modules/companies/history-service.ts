import type { Db } from '../../db/database.js';
import { notFound } from '../../domain/service-error.js';
import { findDirectory, selectFormerOwners } from '../directory/index.js';
import { inTenant } from '../tenants/index.js';
import { loadLicenses } from './edit-repository.js';
import { type ChangeEntry, selectChangesOf } from './history-repository.js';
import { findCompany } from './repository.js';

interface Period {
  readonly since: Date;
  /** Null: still so. */
  readonly until: Date | null;
}

export interface NamePeriod extends Period {
  readonly name: string;
  readonly actor: string;
  readonly runId: string | null;
}

export interface LicensePeriod extends Period {
  readonly licenseId: string;
  readonly licenseNumber: string;
  readonly reason: string | null;
  readonly fromCompanyId: string | null;
  readonly untilReason: string | null;
  readonly toCompanyId: string | null;
}

export interface OwnerPeriod {
  readonly licenseNumber: string;
  readonly ubi: string | null;
  /** Null: it holds it now. */
  readonly until: Date | null;
}

export interface History {
  readonly names: readonly NamePeriod[];
  readonly licenses: readonly LicensePeriod[];
  readonly owners: readonly OwnerPeriod[];
  /** The beginning is left out: there is more than is told of one company. */
  readonly isCut: boolean;
}

/** What a company was called, which licenses it held, and who held those. */
export const getHistory = (db: Db, tenantId: string, id: string): Promise<History> =>
  inTenant(db, tenantId, async (tx, { state, environment }) => {
    if ((await findCompany(tx, id)) === undefined) throw notFound('company');
    const { lines, isCut } = await selectChangesOf(tx, id);
    const keys = [...new Set(lines.flatMap(({ license_key }) => license_key ?? []))];
    const directory = await findDirectory(tx, state, environment);
    const former = directory === undefined ? [] : await selectFormerOwners(tx, directory.id, keys);
    const licenses = (await loadLicenses(tx, keys)).sort((a, b) => (a.licenseKey < b.licenseKey ? -1 : 1));
    return {
      names: toNames(lines),
      licenses: toLicenses(lines, id),
      owners: licenses.flatMap(({ licenseKey, licenseNumber, ubi }) => [
        ...former
          .filter((owner) => owner.licenseKey === licenseKey)
          .map((owner) => ({ licenseNumber, ubi: owner.ubi, until: owner.untilAt })),
        { licenseNumber, ubi, until: null },
      ]),
      isCut,
    };
  });

function toNames(lines: readonly ChangeEntry[]): NamePeriod[] {
  const names: NamePeriod[] = [];
  for (const { kind, after, actor, run_id, inserted_datetime: since } of lines) {
    const name = kind.startsWith('company.') ? (after as { name?: unknown } | null)?.name : undefined;
    if (typeof name !== 'string') continue;
    const last = names.pop();
    if (last !== undefined) names.push({ ...last, until: since });
    names.push({ name, since, until: null, actor, runId: run_id });
  }
  return names;
}

/** A license comes with its first line, or by leaving another company, and goes by leaving this one. */
function toLicenses(lines: readonly ChangeEntry[], id: string): LicensePeriod[] {
  const periods: LicensePeriod[] = [];
  for (const line of lines) {
    const { license_id: licenseId, license_number: licenseNumber, inserted_datetime: at, reason } = line;
    if (licenseId === null || licenseNumber === null) continue;
    const open = periods.findIndex((period) => period.licenseId === licenseId && period.until === null);
    const isLeaving = line.from_company_id === id && line.company_id !== id;
    if (isLeaving && open !== -1) {
      const period = periods[open] as LicensePeriod;
      periods[open] = { ...period, until: at, untilReason: reason, toCompanyId: line.company_id };
    } else if (!isLeaving && open === -1) {
      const fromCompanyId = line.from_company_id;
      periods.push({
        licenseId,
        licenseNumber,
        since: at,
        until: null,
        reason,
        fromCompanyId,
        untilReason: null,
        toCompanyId: null,
      });
    }
  }
  return periods;
}
