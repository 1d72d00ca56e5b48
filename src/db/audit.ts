import { type CommitHook, clientOf, type Db, type Tx, withOperator, writesOf } from './database.js';

/** The API request that a transaction belongs to. */
export interface AuditContext {
  readonly operationId: string;
  /** Never a name or an address. */
  readonly actor: string;
  readonly requestId: string;
  /** The path of the request. */
  readonly object: string;
}

/** Records the author of a transaction's writes. Not used by the worker: a sync run records its requester itself. */
export const createAuditHook =
  ({ operationId, actor, requestId, object }: AuditContext): CommitHook =>
  async (tx, tenantId) => {
    const writes = writesOf(tx);
    if (writes.isEmpty) return;
    const { entries } = writes;
    const values = [operationId, writes.toAuditText(actor), requestId, writes.toAuditText(object), entries];
    if (tenantId === undefined) {
      await clientOf(tx).query(
        'insert into operator_audit (operation_id, actor, request_id, object, changed) values ($1, $2, $3, $4, $5)',
        values,
      );
      return;
    }
    await clientOf(tx).query(
      'insert into audit (operation_id, actor, request_id, object, changed, tenant_id) values ($1, $2, $3, $4, $5, $6)',
      [...values, tenantId],
    );
  };

const ROWS_PER_BATCH = 5_000;

/**
 * Deletes a batch of entries that are older than `days`, also those of deleted tenants. Safe in several
 * processes at once.
 * @returns whether there may be more
 */
export const deleteExpiredAudit = (db: Db, days: number): Promise<boolean> =>
  withOperator(db, async (tx) => {
    let isFull = false;
    for (const table of ['audit', 'operator_audit']) {
      const { rowCount } = await clientOf(tx).query(
        `delete from ${table} where ctid = any(array(
           select ctid from ${table} where inserted_datetime < now() - make_interval(days => $1)
            order by inserted_datetime limit ${ROWS_PER_BATCH}))`,
        [days],
      );
      isFull ||= rowCount === ROWS_PER_BATCH;
    }
    return isFull;
  });

/**
 * Replaces a user by a pseudonym, in the actors and in the paths of requests about the user. Also in the entry of this
 * transaction.
 */
export async function pseudonymizeAudit(tx: Tx, userId: string, pseudonym: string): Promise<void> {
  const client = clientOf(tx);
  const [from, to] = [`user:${userId}`, `user:${pseudonym}`];
  await client.query('update audit set actor = $2 where actor = $1', [from, to]);
  const { rows } = await client.query<{ object: string }>(
    `select distinct object from audit where object like '%/users/%'`,
  );
  const replaceUser = (object: string): string =>
    object
      .split('/')
      .map((part, index, parts) => (parts[index - 1] === 'users' && toText(part) === userId ? pseudonym : part))
      .join('/');
  for (const { object } of rows) {
    const replaced = replaceUser(object);
    if (replaced !== object) await client.query('update audit set object = $2 where object = $1', [object, replaced]);
  }
  // The user may be the caller.
  writesOf(tx).replaceInAudit((text) => (text === from ? to : replaceUser(text)));
}

/** A part of a path without percent-encoding, or as it is. */
function toText(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
