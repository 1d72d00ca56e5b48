import {
  type CompiledQuery,
  DeleteQueryNode,
  InsertQueryNode,
  type OperationNode,
  TableNode,
  UpdateQueryNode,
} from 'kysely';
import type pg from 'pg';

/** The call that a transaction belongs to. */
export interface AuditContext {
  readonly operationId: string;
  /** Never a name or an address. */
  readonly actor: string;
  readonly requestId: string;
  /** The path of the call. */
  readonly object: string;
}

/** What is written beside a change or without one: nobody asks who did it. */
const BOOKKEEPING: ReadonlySet<string> = new Set([
  'audit',
  'changes',
  'directories',
  'directory_license_owners',
  'idempotency_keys',
  'login_attempts',
  'directory_licenses',
  'sync_states',
]);
/** Columns that tell of use, or count changes that are told themselves. */
const OF_USE: ReadonlySet<string> = new Set(['last_used_datetime', 'last_change_seq', 'revision']);
/** Enough to tell what it was about. */
const MOST_WRITES = 20;

/** What a transaction has written so far, in words. */
export class Writes {
  readonly #words = new Set<string>();

  get isEmpty(): boolean {
    return this.#words.size === 0;
  }

  get words(): string[] {
    return [...this.#words].slice(0, MOST_WRITES);
  }

  note(verb: 'insert' | 'update' | 'delete', table: string, id?: string): void {
    if (BOOKKEEPING.has(table)) return;
    this.#words.add(id === undefined ? `${verb} ${table}` : `${verb} ${table} ${id}`);
  }

  /** Of a statement that has touched rows. */
  noteQuery({ query }: CompiledQuery): void {
    if (InsertQueryNode.is(query)) this.note('insert', toTable(query.into), toInsertedId(query));
    else if (DeleteQueryNode.is(query)) this.note('delete', toTable(query.from.froms[0]));
    else if (UpdateQueryNode.is(query)) {
      const columns = (query.updates ?? []).map(({ column }) => toColumn(column));
      if (!columns.every((column) => OF_USE.has(column))) this.note('update', toTable(query.table));
    }
  }
}

/**
 * Writes down who did it, in the transaction that did. A change by the worker has no cause of this kind: its run says
 * who asked for it.
 */
export async function writeAudit(
  client: pg.PoolClient,
  tenantId: string | undefined,
  { operationId, actor, requestId, object }: AuditContext,
  writes: Writes,
): Promise<void> {
  if (writes.isEmpty) return;
  const { words } = writes;
  const values = [operationId, actor, requestId, object, words];
  // What is told of a tenant goes with it, and so cannot tell that it went.
  if (tenantId === undefined || words.includes('delete tenants')) {
    await client.query(
      'insert into operator_audit (operation_id, actor, request_id, object, changed) values ($1, $2, $3, $4, $5)',
      values,
    );
    return;
  }
  await client.query(
    'insert into audit (operation_id, actor, request_id, object, changed, tenant_id) values ($1, $2, $3, $4, $5, $6)',
    [...values, tenantId],
  );
}

const toTable = (node: OperationNode | undefined): string =>
  node !== undefined && TableNode.is(node) ? node.table.identifier.name : 'something';

const toColumn = (node: OperationNode): string =>
  'column' in node ? ((node.column as { column?: { name?: string }; name?: string }).name ?? '') : '';

/** The id of the one row that was inserted, if it has one. */
function toInsertedId({ columns, values }: InsertQueryNode): string | undefined {
  const at = columns?.findIndex(({ column }) => column.name === 'id') ?? -1;
  const rows =
    values !== undefined && 'values' in values ? (values.values as readonly { values: readonly unknown[] }[]) : [];
  const [row] = rows;
  if (at < 0 || rows.length !== 1 || row === undefined) return undefined;
  const cell = row.values[at];
  const id = typeof cell === 'object' && cell !== null && 'value' in cell ? cell.value : cell;
  return typeof id === 'string' ? id : undefined;
}
