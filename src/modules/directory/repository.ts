import { type Kysely, sql } from 'kysely';
import { type Cell, type Columns, copyRows, RowSource, updateRows } from '../../db/bulk.js';
import type { Db, OperatorTx, Tx } from '../../db/database.js';
import { fromListingRow, LISTING_COLUMN_NAMES, LISTING_COLUMNS, toListingCells } from '../../db/license-columns.js';
import { OPERATOR, runStatement, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import type { DirectoryWarning } from '../../domain/directory-warning.js';
import type { Environment } from '../../domain/environment.js';
import type { ListedLicense } from '../../domain/listed-license.js';
import type { Activity, Skip } from '../../domain/vendor.js';
import { mapAsync } from '../../domain/yielding.js';
import type { IllegibleRows } from './fetch-list.js';
import type { Comparison, PublishedLicense } from './publication.js';

export interface Directory {
  readonly id: number;
  /** 0 before the first list is published. */
  readonly version: number;
  /** Rows received, plus laboratories that are kept from an earlier list. */
  readonly fetchedRows: number;
  readonly duplicateRows: number;
  readonly skippedRows: number;
  readonly skips: readonly Skip[];
  /** Compared with the state's `sync_check` sum to detect changes. */
  readonly checksum: string | null;
  /** Of the published list, see `takeRequestNumber`; 0 before the first list. */
  readonly requestNumber: number;
  /** Of the list whose content was last compared with the published one. */
  readonly comparedNumber: number;
  /** Since the state last confirmed the list, by the Postgres clock; null before the first list. */
  readonly ageSeconds: number | null;
  readonly labsAgeSeconds: number | null;
  readonly fullyReadAgeSeconds: number | null;
  /** Of the published list; null if it has none, see `toFingerprint`. */
  readonly fingerprint: string | null;
  /** Since a list was last compared row by row. */
  readonly comparedAgeSeconds: number | null;
  /** Since a list was refused because it removed too many licenses; null if the last list was published. */
  readonly refusedAgeSeconds: number | null;
  /** The digest of the refused list that an operator accepted. */
  readonly acceptedDigest: string | null;
  /** The digest of the list that was refused last, or of the licenses that are kept although they are not listed. */
  readonly refusedDigest: string | null;
  /** What the list that was refused last would remove. */
  readonly refusedRemovals: string | null;
  readonly warnings: readonly DirectoryWarning[];
}

const ageSeconds = (column: string) => sql<number | null>`age_seconds(${sql.ref(column)})`;

const DIRECTORY_COLUMNS = [
  'directory_id as id',
  'version',
  'fetched_rows as fetchedRows',
  'duplicate_rows as duplicateRows',
  'skipped_rows as skippedRows',
  'checksum',
  'request_number as requestNumber',
  'compared_number as comparedNumber',
  sql<readonly Skip[]>`skips`.as('skips'),
  ageSeconds('refreshed_datetime').as('ageSeconds'),
  ageSeconds('labs_refreshed_datetime').as('labsAgeSeconds'),
  ageSeconds('fully_read_datetime').as('fullyReadAgeSeconds'),
  'fingerprint',
  ageSeconds('compared_datetime').as('comparedAgeSeconds'),
  ageSeconds('refused_datetime').as('refusedAgeSeconds'),
  'accepted_digest as acceptedDigest',
  'refused_digest as refusedDigest',
  'refused_removals as refusedRemovals',
  sql<readonly DirectoryWarning[]>`warnings`.as('warnings'),
] as const;

const selectDirectory = (tx: Kysely<DB>, state: string, environment: Environment) =>
  tx
    .selectFrom('directories')
    .select(DIRECTORY_COLUMNS)
    .where('state', '=', state)
    .where('environment', '=', environment);

export const findDirectory = (
  tx: Tx | OperatorTx,
  state: string,
  environment: Environment,
): Promise<Directory | undefined> => selectDirectory(tx, state, environment).executeTakeFirst();

/** `findDirectory` in one round trip. */
export async function findDirectorySummary(
  db: Db,
  state: string,
  environment: Environment,
): Promise<Directory | undefined> {
  const [directory] = await runStatement<Directory>(
    db,
    OPERATOR,
    toStatement(selectDirectory(statementBuilder, state, environment)),
  );
  return directory;
}

/** Taken before a list is requested. Higher than every earlier number of any process, while clocks can be set back. */
export async function takeRequestNumber(db: Db): Promise<number> {
  const text = `select nextval('directory_requests') as number`;
  const [row] = await runStatement<{ number: number }>(db, OPERATOR, { text, values: [] });
  return (row as { number: number }).number;
}

export interface LockedDirectory extends Directory {
  /** Of the published lists. */
  readonly illegible: IllegibleRows;
  /** Created by this transaction, so that nothing is published. */
  readonly isNew: boolean;
}

const LOCKED_COLUMNS = [
  ...DIRECTORY_COLUMNS,
  sql<IllegibleRows>`json_build_object('vendors', illegible_vendors, 'labs', illegible_labs)`.as('illegible'),
] as const;

/** Creates the directory if it is missing, and locks it against other publications until the transaction ends. */
export async function lockDirectory(tx: OperatorTx, state: string, environment: Environment): Promise<LockedDirectory> {
  const lock = selectDirectory(tx, state, environment).clearSelect().select(LOCKED_COLUMNS).forUpdate();
  const present = await lock.executeTakeFirst();
  if (present !== undefined) return { ...present, isNew: false };
  const created = await tx
    .insertInto('directories')
    .values({ state, environment })
    .onConflict((conflict) => conflict.doNothing())
    .returning(LOCKED_COLUMNS)
    .executeTakeFirst();
  return created === undefined
    ? { ...(await lock.executeTakeFirstOrThrow()), isNew: false }
    : { ...created, isNew: true };
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

/** A list that was refused because it removes too many licenses. */
export interface ListRefusal {
  readonly digest: string;
  /** For users: how many licenses of how many. */
  readonly removals: string;
  readonly removedKeys: readonly string[];
}

export async function saveListRefusal(
  tx: OperatorTx,
  { state, environment }: { readonly state: string; readonly environment: Environment },
  { digest, removals, removedKeys }: ListRefusal,
): Promise<void> {
  await tx
    .updateTable('directories')
    .set((eb) => ({
      refused_digest: digest,
      refused_removals: removals,
      refused_keys: [...removedKeys],
      refused_datetime: eb.fn<Date>('now'),
    }))
    .where('state', '=', state)
    .where('environment', '=', environment)
    .execute();
}

/** The keys of the licenses that a refused list would remove. Empty if another list was refused or published since. */
export async function selectRefusedKeys(tx: Tx, directoryId: number, digest: string): Promise<ReadonlySet<string>> {
  const row = await tx
    .selectFrom('directories')
    .select('refused_keys as keys')
    .where('directory_id', '=', directoryId)
    .where('refused_digest', '=', digest)
    .executeTakeFirst();
  return new Set(row?.keys);
}

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

/**
 * Accepts the list that was refused last, so that it is published when the state sends it again. Idempotent. False if another
 * list was refused or published since.
 */
export async function acceptRefusedList(
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
  readonly requestNumber: number;
  readonly withLabs: boolean;
  readonly fingerprint: string | null;
  readonly warnings: readonly DirectoryWarning[];
  readonly refusedDigest: string | null;
  /** Whether an operator accepted that licenses are removed. */
  readonly isRemovalAccepted: boolean;
  /** Unchanged where undefined. */
  readonly illegible: Partial<IllegibleRows>;
}

type ListFacts = Pick<Refresh, 'checksum' | 'requestNumber' | 'withLabs' | 'fingerprint' | 'warnings'>;

/** Skipped rows and warnings are only stored for inspection. */
const MAX_SAVED = 200;

export const saveRefresh = (tx: OperatorTx, directoryId: number, refresh: Refresh): Promise<Directory> =>
  tx
    .updateTable('directories')
    .set((eb) => ({
      version: refresh.version,
      fetched_rows: refresh.fetchedRows,
      duplicate_rows: refresh.duplicateRows,
      skipped_rows: refresh.skips.length,
      skips: JSON.stringify(refresh.skips.slice(0, MAX_SAVED)),
      compared_datetime: eb.fn<Date>('now'),
      compared_number: refresh.requestNumber,
      illegible_vendors: refresh.illegible.vendors?.slice(),
      illegible_labs: refresh.illegible.labs?.slice(),
    }))
    .set({ ...toAcceptedColumns(refresh), refused_digest: refresh.refusedDigest })
    .$if(refresh.isRemovalAccepted, (update) =>
      update.set({ accepted_versions: sql<number[]>`accepted_versions || ${refresh.version}::bigint` }),
    )
    .where('directory_id', '=', directoryId)
    .returning(DIRECTORY_COLUMNS)
    .executeTakeFirstOrThrow();

/** A complete list with the fingerprint of the published one was received. */
export const saveIdenticalList = (tx: OperatorTx, directoryId: number, facts: ListFacts): Promise<Directory> =>
  tx
    .updateTable('directories')
    .set(toAcceptedColumns(facts))
    .where('directory_id', '=', directoryId)
    .returning(DIRECTORY_COLUMNS)
    .executeTakeFirstOrThrow();

/** The columns to set for every accepted list. Clears an earlier refusal. */
const toAcceptedColumns = ({ checksum, requestNumber, withLabs, fingerprint, warnings }: ListFacts) => ({
  checksum,
  fingerprint,
  warnings: JSON.stringify(warnings.slice(0, MAX_SAVED)),
  refreshed_datetime: sql<Date>`now()`,
  fully_read_datetime: sql<Date>`now()`,
  request_number: requestNumber,
  refused_digest: null,
  refused_removals: null,
  refused_keys: [],
  refused_datetime: null,
  accepted_digest: null,
  ...(withLabs ? { labs_refreshed_datetime: sql<Date>`now()` } : {}),
});

/** The checksum showed that nothing changed, so the list is as fresh as that answer. */
export async function saveUnchangedCheck(tx: OperatorTx, directoryId: number): Promise<void> {
  await tx
    .updateTable('directories')
    .set((eb) => ({ refreshed_datetime: eb.fn<Date>('now') }))
    .where('directory_id', '=', directoryId)
    .execute();
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
