import type { Db } from '../../db/database.js';
import { notFound } from '../../domain/service-error.js';
import { loadLicenses, type Names, selectCompanyNames } from '../../plans/index.js';
import { findDirectory, selectFormerOwners } from '../directory/index.js';
import { inTenant } from '../tenants/index.js';
import {
  type ChangeEntry,
  type Creation,
  getCreation,
  type HeldLicense,
  selectChangesOf,
  selectHeldLicenses,
} from './history-repository.js';
import { findCompany, type StoredCompany } from './repository.js';

interface Period {
  /** Null if it began before the history is complete. */
  readonly since: Date | null;
  /** Null while the period lasts. */
  readonly until: Date | null;
}

export interface NamePeriod extends Period {
  readonly name: string;
  /** Null if the beginning is unknown. */
  readonly actor: string | null;
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
  /** Older changes are left out; null if there are none. */
  readonly completeFrom: Date | null;
  /** The display names of the companies that held the licenses before or next. */
  readonly companyNames: Names;
}

/** A company's names, the licenses that it held, and the vendors that held those licenses. */
export const getHistory = (db: Db, tenantId: string, id: string): Promise<History> =>
  inTenant(db, tenantId, async (tx, { state, environment, feedCompleteFrom }) => {
    const company = await findCompany(tx, id);
    if (company === undefined) throw notFound('company');
    const { entries, isTruncated } = await selectChangesOf(tx, id);
    const held = await selectHeldLicenses(tx, id, toLicenseIds(entries));
    const keys = held.map(({ licenseKey }) => licenseKey);
    const directory = await findDirectory(tx, state, environment);
    const former = directory === undefined ? [] : await selectFormerOwners(tx, directory.id, keys);
    const licenses = (await loadLicenses(tx, keys)).sort((a, b) => (a.licenseKey < b.licenseKey ? -1 : 1));
    const completeFrom = isTruncated ? (entries[0]?.at ?? null) : feedCompleteFrom;
    const isComplete = (insertedAt: Date): boolean => completeFrom === null || insertedAt >= completeFrom;
    const periods = toLicensePeriods(entries, id, toFirstPeriods(entries, id, held, isComplete));
    return {
      names: toNamePeriods(entries, toFirstName(company, await getCreation(tx, id), isComplete)),
      licenses: periods,
      owners: licenses.flatMap(({ licenseKey, licenseNumber, ubi }) => [
        ...former
          .filter((owner) => owner.licenseKey === licenseKey)
          .map((owner) => ({ licenseNumber, ubi: owner.ubi, until: owner.untilAt })),
        { licenseNumber, ubi, until: null },
      ]),
      completeFrom: isComplete(company.insertedDatetime) ? null : completeFrom,
      companyNames: await selectCompanyNames(
        tx,
        periods.flatMap(({ fromCompanyId, toCompanyId }) => [fromCompanyId, toCompanyId]),
      ),
    };
  });

const toLicenseIds = (entries: readonly ChangeEntry[]): string[] => [
  ...new Set(entries.flatMap(({ licenseId }) => licenseId ?? [])),
];

type IsComplete = (insertedAt: Date) => boolean;

/** The name before the first entry. */
function toFirstName(company: StoredCompany, creation: Creation, isComplete: IsComplete): NamePeriod {
  const { actor, runId, at: since } = creation;
  const { name } = company;
  return isComplete(since)
    ? { name, since, until: null, actor, runId }
    : { name, since: null, until: null, actor: null, runId: null };
}

function toNamePeriods(entries: readonly ChangeEntry[], first: NamePeriod): NamePeriod[] {
  const named = entries.flatMap((entry) => {
    const name = nameIn(entry, entry.after);
    return name === undefined ? [] : [{ entry, name }];
  });
  const [earliest] = named;
  const names: NamePeriod[] = [];
  // Without the entry of its creation, the company existed before the first entry.
  if (earliest?.entry.before !== null) {
    const name = earliest === undefined ? first.name : (nameIn(earliest.entry, earliest.entry.before) ?? first.name);
    names.push({ ...first, name });
  }
  for (const { entry, name } of named) {
    const last = names.pop();
    if (last !== undefined) names.push({ ...last, until: entry.at });
    names.push({ name, since: entry.at, until: null, actor: entry.actor, runId: entry.runId });
  }
  return names;
}

/** The name in the fields of an entry about a company. */
function nameIn({ kind }: ChangeEntry, fields: unknown): string | undefined {
  const name = kind.startsWith('company.') ? (fields as { name?: unknown } | null)?.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** The periods of the licenses that the company held before the first entry about them. */
function toFirstPeriods(
  entries: readonly ChangeEntry[],
  id: string,
  held: readonly HeldLicense[],
  isComplete: IsComplete,
): LicensePeriod[] {
  const first = new Map<string, ChangeEntry>();
  for (const entry of entries) {
    if (entry.licenseId !== null && !first.has(entry.licenseId)) first.set(entry.licenseId, entry);
  }
  return held
    .filter((license) => {
      const entry = first.get(license.id);
      return entry === undefined || (entry.before !== null && !isArrival(entry, id));
    })
    .map(({ id: licenseId, licenseNumber, insertedAt }) => ({
      licenseId,
      licenseNumber,
      since: isComplete(insertedAt) ? insertedAt : null,
      until: null,
      reason: isComplete(insertedAt) ? 'first_seen' : null,
      fromCompanyId: null,
      untilReason: null,
      toCompanyId: null,
    }));
}

const isArrival = ({ companyId, fromCompanyId }: ChangeEntry, id: string): boolean =>
  fromCompanyId !== null && companyId === id;

/** A period starts with the creation of a license, or when it arrives from another company, and ends when it leaves. */
function toLicensePeriods(
  entries: readonly ChangeEntry[],
  id: string,
  first: readonly LicensePeriod[],
): LicensePeriod[] {
  const periods = [...first];
  for (const entry of entries) {
    const { licenseId, licenseNumber, companyId, fromCompanyId, before, at, reason } = entry;
    if (licenseId === null || licenseNumber === null) continue;
    const current = periods.findIndex((period) => period.licenseId === licenseId && period.until === null);
    if (companyId !== id) {
      const period = periods[current] as LicensePeriod;
      periods[current] = { ...period, until: at, untilReason: reason, toCompanyId: companyId };
    } else if (before === null || isArrival(entry, id)) {
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
