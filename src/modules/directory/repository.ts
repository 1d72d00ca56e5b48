import { type Kysely, sql } from 'kysely';
import { type Db, type OperatorTx, type Tx, writesOf } from '../../db/database.js';
import { OPERATOR, runStatement, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import type { DirectoryWarning } from '../../domain/directory-warning.js';
import type { Environment } from '../../domain/environment.js';
import type { Skip } from '../../domain/vendor.js';
import type { IllegibleRows } from './fetch-list.js';

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
  readonly refusedRemovals: readonly Removal[] | null;
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
  sql<readonly Removal[] | null>`refused_removals`.as('refusedRemovals'),
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

/** How many of the active licenses a list removes. */
export interface Removal {
  readonly list: 'licenses' | 'laboratories';
  readonly removed: number;
  readonly active: number;
}

/** A list that was refused because it removes too many licenses. */
export interface ListRefusal {
  readonly digest: string;
  readonly removals: readonly Removal[];
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
      refused_removals: JSON.stringify(removals),
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
  const isAccepted = result.numUpdatedRows > 0n;
  // A decision about all tenants of the state, unlike what refreshes write.
  if (isAccepted) writesOf(tx).record('update', 'accepted_lists', `${state}/${environment} ${digest}`);
  return isAccepted;
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
