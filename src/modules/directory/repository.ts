import { type Kysely, sql } from 'kysely';
import { type Cell, type Columns, copyRows, RowSource, updateRows } from '../../db/bulk.js';
import type { Db, OperatorTx, Tx } from '../../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES, LISTING_COLUMNS, toListingCells } from '../../db/license-columns.js';
import { queryAsOperator, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import type { Environment } from '../../domain/environment.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import type { Activity, Skip } from '../../domain/vendor.js';
import { mapAsync } from '../../domain/yielding.js';
import type { Publication, PublishedLicense } from './publication.js';

export interface Directory {
  readonly id: number;
  /** 0 until the first list was published. */
  readonly version: number;
  /** Rows as they came, with those of laboratories that are kept from an earlier list. */
  readonly fetchedRows: number;
  readonly duplicateRows: number;
  readonly skippedRows: number;
  readonly skips: readonly Skip[];
  /** What the state's own check is compared with. */
  readonly checksum: string | null;
  /** Of the last answer that was believed, a whole list or a word that nothing changed; null before the first. */
  readonly refreshedAt: Date | null;
  readonly fullyReadAt: Date | null;
  /** Age of the last believed list by Postgres' clock; null before the first. */
  readonly ageSeconds: number | null;
  readonly labsAgeSeconds: number | null;
  readonly fullyReadAgeSeconds: number | null;
  /** Of the published list, whatever its order; null when nothing can be concluded from one. */
  readonly fingerprint: string | null;
  /** Since the content of a list was compared row by row. */
  readonly comparedAgeSeconds: number | null;
  /** Since a list was refused that took too much away; null when the last one was published. */
  readonly refusedAgeSeconds: number | null;
  /** Of the refused list that an operator accepted. */
  readonly acceptedDigest: string | null;
  /** Of the list that was refused last. */
  readonly refusedDigest: string | null;
}

const selectDirectory = (tx: Kysely<DB>, state: string, environment: Environment) =>
  tx
    .selectFrom('directories')
    .select((eb) => [
      'directory_id as id',
      'version',
      'fetched_rows as fetchedRows',
      'duplicate_rows as duplicateRows',
      'skipped_rows as skippedRows',
      'checksum as checksum',
      'refreshed_datetime as refreshedAt',
      'fully_read_datetime as fullyReadAt',
      sql<readonly Skip[]>`skips`.as('skips'),
      eb.fn<number | null>('age_seconds', ['refreshed_datetime']).as('ageSeconds'),
      eb.fn<number | null>('age_seconds', ['labs_refreshed_datetime']).as('labsAgeSeconds'),
      eb.fn<number | null>('age_seconds', ['fully_read_datetime']).as('fullyReadAgeSeconds'),
      'fingerprint',
      eb.fn<number | null>('age_seconds', ['compared_datetime']).as('comparedAgeSeconds'),
      eb.fn<number | null>('age_seconds', ['refused_datetime']).as('refusedAgeSeconds'),
      'accepted_digest as acceptedDigest',
      'refused_digest as refusedDigest',
    ])
    .where('state', '=', state)
    .where('environment', '=', environment);

export const findDirectory = (
  tx: Tx | OperatorTx,
  state: string,
  environment: Environment,
): Promise<Directory | undefined> => selectDirectory(tx, state, environment).executeTakeFirst();

/** The same, and nobody publishes another version until the transaction ends. */
export const holdDirectory = (tx: Tx, state: string, environment: Environment): Promise<Directory | undefined> =>
  selectDirectory(tx, state, environment).forShare().executeTakeFirst();

/** The directory, and the time by Postgres' clock: the only one that all processes share. */
export async function findDirectorySummary(
  db: Db,
  state: string,
  environment: Environment,
): Promise<{ readonly present: Directory | undefined; readonly now: Date }> {
  const { text, values } = toStatement(selectDirectory(statementBuilder, state, environment));
  const [row] = await queryAsOperator<{ now: Date; id: number | null } & Omit<Directory, 'id'>>(db, {
    text: `select clock_timestamp() as now, d.* from (select 1) one left join (${text}) d on true`,
    values,
  });
  const { now, id, ...rest } = row as NonNullable<typeof row>;
  return { present: id === null ? undefined : { id, ...rest }, now };
}

/** Makes it where it is missing, and keeps others from publishing until the transaction ends. */
export async function lockDirectory(tx: OperatorTx, state: string, environment: Environment): Promise<Directory> {
  await tx
    .insertInto('directories')
    .values({ state, environment })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return selectDirectory(tx, state, environment).forUpdate().executeTakeFirstOrThrow();
}

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

/** Keys of the licenses that are published as transporters. */
export async function selectTransporters(
  tx: OperatorTx,
  state: string,
  environment: Environment,
): Promise<ReadonlySet<string>> {
  const rows = await tx
    .selectFrom('directory_licenses')
    .innerJoin('directories', 'directories.directory_id', 'directory_licenses.directory_id')
    .select('license_key')
    .where('state', '=', state)
    .where('environment', '=', environment)
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

/** Writes the difference to the published list under this version. */
export async function savePublication(
  tx: OperatorTx,
  directoryId: number,
  version: number,
  { added, changed, missing }: Publication,
): Promise<void> {
  function* rowsOf(licenses: readonly ListedLicense[]): Generator<Cell[]> {
    for (const license of licenses) yield toRow(directoryId, license, version);
  }
  await copyRows(tx, 'directory_licenses', COLUMNS, new RowSource(rowsOf(added)));
  await keepFormerOwners(tx, directoryId, version, changed);
  const keys = ['directory_id', 'license_key'];
  await updateRows(tx, 'directory_licenses', keys, COLUMNS, rowsOf(changed), ['missing_since_datetime = null']);
  const { directory_id, license_key, changed_version } = COLUMNS;
  await updateRows(
    tx,
    'directory_licenses',
    keys,
    { directory_id, license_key, changed_version },
    missing.map((licenseKey) => [directoryId, licenseKey, version]),
    ['missing_since_datetime = now()'],
  );
}

/**
 * Whoever held a license until this version. From no vendor to one is the state telling more, and from one to none it
 * tells less: neither is another owner. Who is not told any more is kept beside the row, until another one is.
 */
async function keepFormerOwners(
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

/** Who held these licenses before, the earliest first. */
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

/** Keeps what is known of a list that was not published. */
export async function saveListRefusal(
  tx: OperatorTx,
  { state, environment, digest }: { state: string; environment: Environment; digest: string },
): Promise<void> {
  await tx
    .updateTable('directories')
    .set((eb) => ({ refused_digest: digest, refused_datetime: eb.fn<Date>('now') }))
    .where('state', '=', state)
    .where('environment', '=', environment)
    .execute();
}

/**
 * The refused list passes when the state sends it again. False: it is not the one that was refused last, or a list was
 * published since. Accepting it once more is no other thing.
 */
export async function acceptRefused(
  tx: OperatorTx,
  { state, environment, digest }: { state: string; environment: Environment; digest: string },
): Promise<boolean> {
  const result = await tx
    .updateTable('directories')
    .set({ accepted_digest: digest, refused_datetime: null })
    .where('state', '=', state)
    .where('environment', '=', environment)
    .where('refused_digest', '=', digest)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export interface Refresh {
  readonly version: number;
  readonly fetchedRows: number;
  readonly duplicateRows: number;
  readonly skips: readonly Skip[];
  readonly checksum: string | null;
  readonly askedAt: Date;
  readonly withLabs: boolean;
  readonly fingerprint: string | null;
}

type ListFacts = Pick<Refresh, 'checksum' | 'askedAt' | 'withLabs' | 'fingerprint'>;

/** Skipped rows are kept for people to look at, not as data: some hundreds tell enough. */
const MAX_SKIPS_KEPT = 200;

export async function saveRefresh(tx: OperatorTx, directoryId: number, refresh: Refresh): Promise<void> {
  await tx
    .updateTable('directories')
    .set((eb) => ({
      version: refresh.version,
      fetched_rows: refresh.fetchedRows,
      duplicate_rows: refresh.duplicateRows,
      skipped_rows: refresh.skips.length,
      skips: JSON.stringify(refresh.skips.slice(0, MAX_SKIPS_KEPT)),
      compared_datetime: eb.fn<Date>('now'),
    }))
    .set(toBelieved(refresh))
    .where('directory_id', '=', directoryId)
    .execute();
}

/** A whole list came that is the published one to its fingerprint. */
export async function saveSame(tx: OperatorTx, directoryId: number, facts: ListFacts): Promise<void> {
  await tx.updateTable('directories').set(toBelieved(facts)).where('directory_id', '=', directoryId).execute();
}

/** What a whole list that is believed says, beside its rows; whatever was refused before is of the past. */
const toBelieved = ({ checksum, askedAt, withLabs, fingerprint }: ListFacts) => ({
  checksum: checksum,
  fingerprint,
  refreshed_datetime: sql<Date>`now()`,
  fully_read_datetime: askedAt,
  refused_digest: null,
  refused_datetime: null,
  accepted_digest: null,
  ...(withLabs ? { labs_refreshed_datetime: sql<Date>`now()` } : {}),
});

/** The state says that nothing changed: the list is as young as that answer. */
export async function saveUnchanged(tx: OperatorTx, directoryId: number): Promise<void> {
  await tx
    .updateTable('directories')
    .set((eb) => ({ refreshed_datetime: eb.fn<Date>('now') }))
    .where('directory_id', '=', directoryId)
    .execute();
}

const LISTED_COLUMNS = [...LISTING_COLUMN_NAMES, 'is_deleted'] as const;

const selectListed = (tx: Tx, directoryId: number) =>
  tx
    .selectFrom('directory_licenses')
    .select(LISTED_COLUMNS)
    .where('directory_id', '=', directoryId)
    .where('missing_since_datetime', 'is', null);

/** @param licenseKeys of these alone; undefined: all */
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
  /** Listed now, and otherwise than at that version. */
  readonly listed: readonly ListedLicense[];
  /** Listed then, and no longer. */
  readonly missingKeys: readonly string[];
}

/** What changed since a version. */
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

export async function countListed(tx: Tx, directoryId: number): Promise<number> {
  const { count } = await tx
    .selectFrom('directory_licenses')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('directory_id', '=', directoryId)
    .where('missing_since_datetime', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

export async function selectLicensesOfUbi(tx: Tx, directoryId: number, ubiKey: string): Promise<ListedLicense[]> {
  const rows = await selectListed(tx, directoryId).where('ubi_key', '=', ubiKey).orderBy('license_key').execute();
  return rows.map(toListedLicense);
}

/** What the state says of a license, or said last. */
export interface DirectoryEntry extends ListedLicense {
  /** Null while it is listed. */
  readonly missingSince: Date | null;
}

export async function selectListings(
  tx: Tx,
  directoryId: number,
  licenseKeys: readonly string[],
): Promise<DirectoryEntry[]> {
  if (licenseKeys.length === 0) return [];
  const rows = await tx
    .selectFrom('directory_licenses')
    .select([...LISTED_COLUMNS, 'missing_since_datetime'])
    .where('directory_id', '=', directoryId)
    .where('license_key', 'in', licenseKeys)
    .execute();
  return rows.map((row) => ({ ...toListedLicense(row), missingSince: row.missing_since_datetime }));
}

/** As what the state knows, or knew, this text: it may be both, or neither. */
export async function findMeaning(
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
  Object.assign(fromListingRow<Activity>(row), { isDeleted: row.is_deleted });
