import type { Db } from '../../db/database.js';
import { notFound } from '../../domain/service-error.js';
import { loadLicenses } from '../../plans/index.js';
import { findDirectory, selectFormerOwners } from '../directory/index.js';
import { inTenant } from '../tenants/index.js';
import { type ChangeEntry, selectChangesOf } from './history-repository.js';
import { findCompany } from './repository.js';

interface Period {
  readonly since: Date;
  /** Null while the period lasts. */
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
  /** Null for the current owner. */
  readonly until: Date | null;
}

export interface History {
  readonly names: readonly NamePeriod[];
  readonly licenses: readonly LicensePeriod[];
  readonly owners: readonly OwnerPeriod[];
  /** The earliest part is left out. */
  readonly isTruncated: boolean;
}

/** A company's names, the licenses that it held, and the vendors that held those licenses. */
export const getHistory = (db: Db, tenantId: string, id: string): Promise<History> =>
  inTenant(db, tenantId, async (tx, { state, environment }) => {
    if ((await findCompany(tx, id)) === undefined) throw notFound('company');
    const { entries, isTruncated } = await selectChangesOf(tx, id);
    const keys = [...new Set(entries.flatMap(({ licenseKey }) => licenseKey ?? []))];
    const directory = await findDirectory(tx, state, environment);
    const former = directory === undefined ? [] : await selectFormerOwners(tx, directory.id, keys);
    const licenses = (await loadLicenses(tx, keys)).sort((a, b) => (a.licenseKey < b.licenseKey ? -1 : 1));
    return {
      names: toNamePeriods(entries),
      licenses: toLicensePeriods(entries, id),
      owners: licenses.flatMap(({ licenseKey, licenseNumber, ubi }) => [
        ...former
          .filter((owner) => owner.licenseKey === licenseKey)
          .map((owner) => ({ licenseNumber, ubi: owner.ubi, until: owner.untilAt })),
        { licenseNumber, ubi, until: null },
      ]),
      isTruncated,
    };
  });

function toNamePeriods(entries: readonly ChangeEntry[]): NamePeriod[] {
  const names: NamePeriod[] = [];
  for (const { kind, after, actor, runId, at: since } of entries) {
    const name = kind.startsWith('company.') ? (after as { name?: unknown } | null)?.name : undefined;
    if (typeof name !== 'string') continue;
    const last = names.pop();
    if (last !== undefined) names.push({ ...last, until: since });
    names.push({ name, since, until: null, actor, runId });
  }
  return names;
}

/** A period starts with the first entry about a license, or when it arrives from another company, and ends when it leaves. */
function toLicensePeriods(entries: readonly ChangeEntry[], id: string): LicensePeriod[] {
  const periods: LicensePeriod[] = [];
  for (const { licenseId, licenseNumber, companyId, fromCompanyId, at, reason } of entries) {
    if (licenseId === null || licenseNumber === null) continue;
    const current = periods.findIndex((period) => period.licenseId === licenseId && period.until === null);
    const isLeaving = fromCompanyId === id && companyId !== id;
    if (isLeaving && current !== -1) {
      const period = periods[current] as LicensePeriod;
      periods[current] = { ...period, until: at, untilReason: reason, toCompanyId: companyId };
    } else if (!isLeaving && current === -1) {
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
