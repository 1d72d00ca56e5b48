import { sql } from 'kysely';
import { type Cell, type Columns, copyRows, RowSource, updateRows } from '../../db/bulk.js';
import type { OperatorTx, Tx } from '../../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES, LISTING_COLUMNS, toListingCells } from '../../db/license-columns.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import type { Activity } from '../../domain/vendor.js';
import { mapAsync } from '../../domain/yielding.js';
import type { Comparison, PublishedLicense } from './publication.js';

export async function selectPublished(tx: OperatorTx, directoryId: number): Promise<PublishedLicense[]> {
  return tx
    .selectFrom('directory_licenses')
    .select((eb) => [
      'license_key as licenseKey',
      'content_hash as contentHash',
      'is_lab as isLab',
      'is_deleted as isDeleted',
      eb('missing_since_datetime', 'is not', null).$castTo<boolean>().as('isMissing'),
    ])
    .where('directory_id', '=', directoryId)
    .execute();
}

/** The keys of all licenses that are published as transporters. */
export async function selectTransporters(tx: OperatorTx, directoryId: number): Promise<ReadonlySet<string>> {
  const rows = await tx
    .selectFrom('directory_licenses')
    .select('license_key')
    .where('directory_id', '=', directoryId)
    .where(sql<boolean>`'transporter' = any(activities)`)
    .execute();
  return new Set(rows.map(({ license_key }) => license_key));
}

const COLUMNS = {
  directory_id: 'integer',
  ...LISTING_COLUMNS,
  is_deleted: 'boolean',
  changed_version: 'bigint',
} as const satisfies Columns;

const toRow = (directoryId: number, license: ListedLicense, version: number): Cell[] => [
  directoryId,
  ...toListingCells(license),
  license.isDeleted,
  version,
];

export async function savePublication(
  tx: OperatorTx,
  directoryId: number,
  version: number,
  { added, changed, missing }: Pick<Comparison, 'added' | 'changed'> & { readonly missing: readonly string[] },
): Promise<void> {
  function* rowsOf(licenses: readonly ListedLicense[]): Generator<Cell[]> {
    for (const license of licenses) yield toRow(directoryId, license, version);
  }
  await copyRows(tx, 'directory_licenses', COLUMNS, new RowSource(rowsOf(added)));
  await saveFormerOwners(tx, directoryId, version, changed);
  const keys = ['directory_id', 'license_key'];
  await updateRows(tx, 'directory_licenses', {
    keys,
    columns: COLUMNS,
    rows: rowsOf(changed),
    alsoSet: ['missing_since_datetime = null'],
  });
  const { directory_id, license_key, changed_version } = COLUMNS;
  await updateRows(tx, 'directory_licenses', {
    keys,
    columns: { directory_id, license_key, changed_version },
    rows: missing.map((licenseKey) => [directoryId, licenseKey, version]),
    alsoSet: ['missing_since_datetime = now()'],
  });
}

/**
 * Saves who held the changed licenses until this version. A UBI that appears or disappears is not a change of owner: the
 * state just reports more or less. A UBI that disappears stays as `known_ubi` until the state reports another one.
 */
async function saveFormerOwners(
  tx: OperatorTx,
  directoryId: number,
  version: number,
  changed: readonly ListedLicense[],
): Promise<void> {
  if (changed.length === 0) return;
  const keys = changed.map(({ licenseKey }) => licenseKey);
  const ubiKeys = changed.map(({ ubiKey }) => ubiKey);
  const incoming = sql`unnest(${keys}::text[], ${ubiKeys}::text[]) as incoming (license_key, new_ubi_key)`;
  await sql`
    insert into directory_license_owners (directory_id, license_key, until_version, ubi, ubi_key)
    select directory_id, license_key, ${version}, coalesce(ubi, known_ubi), coalesce(ubi_key, known_ubi_key)
      from directory_licenses join ${incoming} using (license_key)
     where directory_id = ${directoryId} and coalesce(ubi_key, known_ubi_key) <> new_ubi_key`.execute(tx);
  await sql`
    update directory_licenses set known_ubi = ubi, known_ubi_key = ubi_key
      from ${incoming}
     where directory_id = ${directoryId} and directory_licenses.license_key = incoming.license_key
       and ubi_key is not null and new_ubi_key is null`.execute(tx);
}

export interface FormerOwner {
  readonly licenseKey: string;
  readonly ubi: string | null;
  readonly untilAt: Date;
}

/** The earliest owner of each license first. */
export const selectFormerOwners = (
  tx: Tx,
  directoryId: number,
  licenseKeys: readonly string[],
): Promise<FormerOwner[]> =>
  tx
    .selectFrom('directory_license_owners')
    .select(['license_key as licenseKey', 'ubi', 'until_datetime as untilAt'])
    .where('directory_id', '=', directoryId)
    .where('license_key', '=', sql<string>`any(${[...licenseKeys]}::text[])`)
    .orderBy('license_key')
    .orderBy('until_version')
    .execute();

/** The keys of the licenses that were removed after a version with an operator's consent, and are still gone. */
export async function selectAcceptedRemovals(
  tx: Tx,
  directoryId: number,
  version: number,
): Promise<ReadonlySet<string>> {
  const rows = await tx
    .selectFrom('directories')
    .innerJoin('directory_licenses as license', 'license.directory_id', 'directories.directory_id')
    .select('license.license_key as licenseKey')
    .where('directories.directory_id', '=', directoryId)
    .where('license.changed_version', '>', version)
    .where(sql<boolean>`license.changed_version = any(directories.accepted_versions)`)
    .where((eb) => eb.or([eb('license.missing_since_datetime', 'is not', null), eb('license.is_deleted', '=', true)]))
    .execute();
  return new Set(rows.map(({ licenseKey }) => licenseKey));
}

const LISTED_COLUMNS = [...LISTING_COLUMN_NAMES, 'is_deleted', 'known_ubi', 'known_ubi_key'] as const;

const selectListed = (tx: Tx, directoryId: number) =>
  tx
    .selectFrom('directory_licenses')
    .select(LISTED_COLUMNS)
    .where('directory_id', '=', directoryId)
    .where('missing_since_datetime', 'is', null);

/** @param licenseKeys undefined for all licenses */
export async function selectListedLicenses(
  tx: Tx,
  directoryId: number,
  licenseKeys?: Iterable<string>,
): Promise<ListedLicense[]> {
  const rows = await selectListed(tx, directoryId)
    .$if(licenseKeys !== undefined, (query) =>
      query.where('license_key', '=', sql<string>`any(${[...(licenseKeys ?? [])]}::text[])`),
    )
    .execute();
  return mapAsync(rows, toListedLicense);
}

export interface DirectoryChanges {
  /** Listed now, with other content than at that version. */
  readonly listed: readonly ListedLicense[];
  /** No longer listed. */
  readonly missingKeys: readonly string[];
}

export async function selectChangesSince(tx: Tx, directoryId: number, version: number): Promise<DirectoryChanges> {
  const rows = await tx
    .selectFrom('directory_licenses')
    .select([...LISTED_COLUMNS, 'missing_since_datetime'])
    .where('directory_id', '=', directoryId)
    .where('changed_version', '>', version)
    .execute();
  return {
    listed: rows.filter((row) => row.missing_since_datetime === null).map(toListedLicense),
    missingKeys: rows.flatMap((row) => (row.missing_since_datetime === null ? [] : row.license_key)),
  };
}

export async function selectLicensesOfUbi(tx: Tx, directoryId: number, ubiKey: string): Promise<ListedLicense[]> {
  const rows = await selectListed(tx, directoryId).where('ubi_key', '=', ubiKey).orderBy('license_key').execute();
  return rows.map(toListedLicense);
}

/** A license as the state lists it, or as it was last listed. */
export interface DirectoryEntry extends ListedLicense {
  /** Null if it is listed now. */
  readonly missingSince: Date | null;
}

export async function selectListings(
  tx: Tx | OperatorTx,
  directoryId: number,
  licenseKeys: readonly string[],
): Promise<DirectoryEntry[]> {
  if (licenseKeys.length === 0) return [];
  const rows = await tx
    .selectFrom('directory_licenses')
    .select([...LISTED_COLUMNS, 'missing_since_datetime'])
    .where('directory_id', '=', directoryId)
    .where('license_key', '=', sql<string>`any(${[...licenseKeys]}::text[])`)
    .execute();
  return rows.map((row) => ({ ...toListedLicense(row), missingSince: row.missing_since_datetime }));
}

/** Whether the state lists, or ever listed, this key as a license number, as a UBI, as both or as neither. */
export async function findKeyUse(
  tx: Tx,
  directoryId: number,
  key: string,
): Promise<{ readonly isLicense: boolean; readonly isUbi: boolean }> {
  const listedWith = (column: 'license_key' | 'ubi_key') =>
    tx
      .selectFrom('directory_licenses')
      .select(column)
      .where('directory_id', '=', directoryId)
      .where(column, '=', key)
      .limit(1)
      .executeTakeFirst();
  return {
    isLicense: (await listedWith('license_key')) !== undefined,
    isUbi: (await listedWith('ubi_key')) !== undefined,
  };
}

type Row = Awaited<ReturnType<ReturnType<typeof selectListed>['execute']>>[number];

const toListedLicense = (row: Row): ListedLicense =>
  Object.assign(fromListingRow<Activity>(row), {
    isDeleted: row.is_deleted,
    lastUbi: row.ubi_key === null ? toLastUbi(row) : null,
  });

const toLastUbi = ({ known_ubi: ubi, known_ubi_key: ubiKey }: Pick<Row, 'known_ubi' | 'known_ubi_key'>) =>
  ubi === null || ubiKey === null ? null : { ubi, ubiKey };

/** Adds the last UBI of each license that is listed without one. */
export async function addLastUbis(
  tx: OperatorTx,
  directoryId: number,
  licenses: readonly ListedLicense[],
): Promise<readonly ListedLicense[]> {
  if (licenses.every(({ ubiKey }) => ubiKey !== null)) return licenses;
  const rows = await tx
    .selectFrom('directory_licenses')
    .select(['license_key', 'known_ubi', 'known_ubi_key'])
    .where('directory_id', '=', directoryId)
    .where('ubi_key', 'is', null)
    .where('known_ubi_key', 'is not', null)
    .execute();
  const lastUbis = new Map(rows.map((row) => [row.license_key, toLastUbi(row)]));
  return mapAsync(licenses, (license) => {
    const lastUbi = lastUbis.get(license.licenseKey) ?? null;
    return license.ubiKey === null ? { ...license, lastUbi } : license;
  });
}
