import { type Expression, type Kysely, sql } from 'kysely';
import type { Db, Tx } from '../../db/database.js';
import { runStatement, statementBuilder, toStatement } from '../../db/single-statement.js';
import type { DB } from '../../db/tables.js';
import type { KeyHashes, LoginKeys } from './login-keys.js';

/** How BioTrack refused exactly this login. */
export interface RememberedRefusal {
  readonly refusal: 'rejected' | 'refused';
  /** For `refused`: which text. */
  readonly refusedText: string | null;
  /** The text itself, for operators; null for a refusal without a text. */
  readonly upstreamText: string | null;
  readonly refusedAt: Date;
}

export type LoginClaim =
  /** The caller must log in and save the result. */
  | { readonly kind: 'claimed'; readonly lease: string }
  /** Another login of the account is in progress. */
  | { readonly kind: 'in_progress' }
  /** BioTrack refused this login within the last day. */
  | ({ readonly kind: 'refused' } & RememberedRefusal)
  /** BioTrack refused too many logins of the account. */
  | { readonly kind: 'held'; readonly seconds: number };

/** Longer than any login takes, including its timeout. */
const LEASE_SECONDS = 60;
/** After this time, a refused login is tried again: it may have been fixed in BioTrack. */
export const MEMORY_SECONDS = 24 * 60 * 60;

export const secondsFromNow = (seconds: number) => sql<Date>`clock_timestamp() + make_interval(secs => ${seconds})`;
const memoryStart = secondsFromNow(-MEMORY_SECONDS);
const memoryEnd = secondsFromNow(MEMORY_SECONDS);
/** After this time without another login, a login that BioTrack accepted is forgotten, too. */
const ACCEPTANCE_SECONDS = 90 * 24 * 60 * 60;

/** How many refusals in a row have no consequence, and how long the next login is held after each further one. */
const FREE_REFUSALS = 3;
const HOLD_SECONDS = [60, 300, 900, 3_600] as const;

function toHoldSeconds(refusals: number, ageSeconds: number): number {
  if (refusals < FREE_REFUSALS) return 0;
  const hold = HOLD_SECONDS[Math.min(refusals - FREE_REFUSALS, HOLD_SECONDS.length - 1)] as number;
  // The age is below 0 if the clock was set back.
  return Math.max(0, hold - Math.max(0, ageSeconds));
}

interface SavedAttempt extends Omit<RememberedRefusal, 'refusal' | 'refusedAt'> {
  readonly keyHash: Buffer;
  readonly refusals: number;
  readonly refusal: RememberedRefusal['refusal'] | null;
  readonly refusedAt: Date | null;
  readonly ageSeconds: number | null;
  readonly isAccepted: boolean;
  /** Whether the refusal is later than the filter's `since`. */
  readonly isLater: boolean;
}

const REFUSAL_COLUMNS = [
  'refusal',
  'refused_text as refusedText',
  'upstream_text as upstreamText',
  'refused_datetime as refusedAt',
] as const;

/** Which refusals within the last day prevent a login. */
export interface RefusalFilter {
  readonly hashes: readonly Buffer[];
  /** Only later ones. Null for all. */
  readonly since: Date | null;
}

/**
 * Claims the right to log in. One login per account is in progress at a time, so that concurrent guesses are counted.
 * @param wasValid whether the login belongs to a valid credential
 */
export async function claimLogin(
  tx: Tx,
  { account, login }: LoginKeys,
  filter: RefusalFilter,
  wasValid: boolean,
): Promise<LoginClaim> {
  const rows = await tx
    .selectFrom('login_attempts')
    .select([
      'key_hash as keyHash',
      'refusals',
      ...REFUSAL_COLUMNS,
      sql<number | null>`extract(epoch from clock_timestamp() - refused_datetime)::float8`.as('ageSeconds'),
      sql<boolean>`accepted_datetime is not null`.as('isAccepted'),
      sql<boolean>`coalesce(refused_datetime > ${filter.since}::timestamptz, true)`.as('isLater'),
    ])
    .where('key_hash', 'in', [...account, ...login, ...filter.hashes])
    .orderBy('refused_datetime', 'desc')
    .$castTo<SavedAttempt>()
    .execute();
  const isOf = (hashes: readonly Buffer[], { keyHash }: SavedAttempt): boolean =>
    hashes.some((hash) => hash.equals(keyHash));
  const recent = rows.filter(({ ageSeconds }) => ageSeconds !== null && ageSeconds < MEMORY_SECONDS);
  const remembered = recent.find((row) => row.refusal !== null && row.isLater && isOf(filter.hashes, row));
  if (remembered !== undefined) return { kind: 'refused', ...(remembered as RememberedRefusal) };
  // A login that BioTrack once accepted is no guess: only its own refusals count, not those of other passwords.
  const wasAccepted = wasValid || rows.some((row) => isOf(login, row) && row.isAccepted);
  const counted = recent.filter((row) => isOf(wasAccepted ? login : account, row));
  const refusals = counted.reduce((total, row) => total + row.refusals, 0);
  const seconds = toHoldSeconds(refusals, Math.min(...counted.map(({ ageSeconds }) => ageSeconds ?? 0)));
  if (seconds > 0) return { kind: 'held', seconds };
  const leaseEnd = secondsFromNow(LEASE_SECONDS);
  const seen = rows.find(({ keyHash }) => account[0].equals(keyHash))?.refusals ?? 0;
  const claimed = await tx
    .insertInto('login_attempts')
    .values({
      key_hash: account[0],
      leased_until_datetime: leaseEnd,
      leased_by: sql<string>`gen_random_uuid()`,
      expires_datetime: memoryEnd,
    })
    .onConflict((conflict) =>
      conflict
        .column('key_hash')
        .doUpdateSet((eb) => ({
          leased_until_datetime: leaseEnd,
          leased_by: eb.ref('excluded.leased_by'),
          expires_datetime: sql<Date>`greatest(login_attempts.expires_datetime, excluded.expires_datetime)`,
        }))
        // After the clock was set back, an old lease can end later than a new one: it does not count.
        .where(
          sql<boolean>`coalesce(login_attempts.leased_until_datetime not between clock_timestamp() and ${leaseEnd}, true)`,
        )
        // Otherwise another login was refused since the rows were read.
        .where('login_attempts.refusals', '=', seen),
    )
    .returning('leased_by as lease')
    .$castTo<{ lease: string }>()
    .executeTakeFirst();
  return claimed === undefined ? { kind: 'in_progress' } : { kind: 'claimed', lease: claimed.lease };
}

/** The latest refusal within the last day. */
export function findRefusal(tx: Tx, { hashes, since }: RefusalFilter): Promise<RememberedRefusal | undefined> {
  return tx
    .selectFrom('login_attempts')
    .select(REFUSAL_COLUMNS)
    .where('key_hash', 'in', [...hashes])
    .where('refusal', 'is not', null)
    .where('refused_datetime', '>', memoryStart)
    .$if(since !== null, (query) => query.where('refused_datetime', '>', since))
    .orderBy('refused_datetime', 'desc')
    .$castTo<RememberedRefusal>()
    .executeTakeFirst();
}

/** The time by the clock that dates refusals. */
export async function selectClock(tx: Tx): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(tx);
  return (rows[0] as { now: Date }).now;
}

const NO_LEASE = { leased_until_datetime: null, leased_by: null };

const updateLease = (builder: Kysely<DB>, lease: string) =>
  builder.updateTable('login_attempts').set(NO_LEASE).where('leased_by', '=', lease);

/** Ends the lease with what the transaction saves. */
export async function endLease(tx: Tx, lease: string): Promise<void> {
  await updateLease(tx, lease).execute();
}

/** Ends the lease without a verdict. */
export async function releaseLogin(db: Db, tenantId: string, lease: string): Promise<void> {
  await runStatement(db, tenantId, toStatement(updateLease(statementBuilder, lease)));
}

/**
 * Waits for other transactions that save an answer for the account, always in the same order: while keys are rotated, processes
 * write the hashes of an account in different orders, which would deadlock.
 */
async function lockAccount(tx: Tx, account: KeyHashes): Promise<void> {
  const locks = account.map((hash) => hash.readBigInt64BE()).sort((one, other) => (one < other ? -1 : 1));
  await sql`select pg_advisory_xact_lock(lock) from unnest(${locks}::bigint[]) lock`.execute(tx);
}

/** Clears the refusals of the account and the login. */
export async function saveAcceptance(
  tx: Tx,
  { account, login, ofTenant }: Pick<LoginKeys, 'account' | 'login' | 'ofTenant'>,
): Promise<void> {
  await lockAccount(tx, account);
  const accepted = { accepted_datetime: secondsFromNow(0), expires_datetime: secondsFromNow(ACCEPTANCE_SECONDS) };
  await tx
    .insertInto('login_attempts')
    .values([
      { key_hash: account[0], ...accepted },
      { key_hash: login[0], ...accepted },
    ])
    .onConflict((conflict) =>
      conflict.column('key_hash').doUpdateSet({
        refusals: 0,
        refused_datetime: null,
        refusal: null,
        refused_text: null,
        upstream_text: null,
        ...accepted,
      }),
    )
    .execute();
  const obsolete = [...account.slice(1), ...login.slice(1), ...ofTenant];
  await tx.deleteFrom('login_attempts').where('key_hash', 'in', obsolete).execute();
}

/** Counts a refusal of the account and, if it is given, of the login. */
export async function saveRefusal(
  tx: Tx,
  { account, logins }: { readonly account: KeyHashes; readonly logins: readonly KeyHashes[] },
  refusal: Omit<RememberedRefusal, 'refusedAt'> | undefined,
): Promise<void> {
  await lockAccount(tx, account);
  const now = sql<Date>`clock_timestamp()`;
  const common = {
    refusals: 1,
    refused_datetime: now,
    refused_text: refusal?.refusedText ?? null,
    expires_datetime: memoryEnd,
  };
  const rows = [
    { key_hash: account[0], ...common, refusal: null, upstream_text: null },
    ...(refusal === undefined
      ? []
      : logins.map(([key_hash]) => ({
          key_hash,
          ...common,
          refusal: refusal.refusal,
          upstream_text: refusal.upstreamText,
        }))),
  ];
  await tx
    .insertInto('login_attempts')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('key_hash').doUpdateSet((eb) => ({
        refusals: sql<number>`case when login_attempts.refused_datetime > ${memoryStart} then login_attempts.refusals + 1 else 1 end`,
        refused_datetime: now,
        refusal: eb.ref('excluded.refusal') as Expression<string | null>,
        refused_text: eb.ref('excluded.refused_text') as Expression<string | null>,
        upstream_text: eb.ref('excluded.upstream_text') as Expression<string | null>,
        expires_datetime: sql<Date>`greatest(login_attempts.expires_datetime, excluded.expires_datetime)`,
      })),
    )
    .execute();
  await deleteExpired(tx);
}

const MAX_EXPIRED = 100;

const deleteExpired = (tx: Tx) =>
  tx
    .deleteFrom('login_attempts')
    .where('key_hash', 'in', (eb) =>
      eb
        .selectFrom('login_attempts')
        .select('key_hash')
        .where('expires_datetime', '<', secondsFromNow(0))
        .where(sql<boolean>`coalesce(leased_until_datetime < clock_timestamp(), true)`)
        .limit(MAX_EXPIRED)
        .forUpdate()
        .skipLocked(),
    )
    .execute();

/**
 * Forgets the refusals with this text, because it turned out to be a problem of the state. The refusals of the accounts still
 * count: otherwise callers could guess passwords while BioTrack refuses them with an unknown text. Does not wait for a row that
 * is locked: a newer answer is being saved in it.
 */
export async function forgetRefusals(tx: Tx, refusedText: string): Promise<void> {
  await tx
    .updateTable('login_attempts')
    .set((eb) => ({
      // Only rows of logins have a refusal.
      refusals: eb.case().when('refusal', 'is', null).then(eb.ref('refusals')).else(0).end(),
      refusal: null,
      refused_text: null,
      upstream_text: null,
    }))
    .where('key_hash', 'in', (eb) =>
      eb
        .selectFrom('login_attempts')
        .select('key_hash')
        .where('refused_text', '=', refusedText)
        .forUpdate()
        .skipLocked(),
    )
    .execute();
}
