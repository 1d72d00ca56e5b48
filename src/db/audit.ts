import {
  type CompiledQuery,
  DeleteQueryNode,
  InsertQueryNode,
  type OperationNode,
  TableNode,
  UpdateQueryNode,
} from 'kysely';
import type pg from 'pg';

/** The API request that a transaction belongs to. */
export interface AuditContext {
  readonly operationId: string;
  /** Never a name or an address. */
  readonly actor: string;
  readonly requestId: string;
  /** The path of the request. */
  readonly object: string;
}

/** Tables whose writes are not audited: side effects of other writes, and internal state. */
const BOOKKEEPING: ReadonlySet<string> = new Set([
  'audit',
  'changes',
  'directories',
  'directory_license_owners',
  'idempotency_keys',
  'login_attempts',
  'refused_usernames',
  'directory_licenses',
  'sync_states',
]);
/** Columns whose updates are not audited: usage, and counters of changes that are audited themselves. */
const UNAUDITED_COLUMNS: ReadonlySet<string> = new Set(['last_used_datetime', 'last_change_seq', 'revision']);
/** Enough to identify what a transaction was about. */
const MAX_ENTRIES = 20;

/** The distinct writes of a transaction, for the audit log. */
export class Writes {
  readonly #entries = new Set<string>();

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get entries(): string[] {
    return [...this.#entries].slice(0, MAX_ENTRIES);
  }

  record(verb: 'insert' | 'update' | 'delete', table: string, id?: string): void {
    if (BOOKKEEPING.has(table)) return;
    this.#entries.add(id === undefined ? `${verb} ${table}` : `${verb} ${table} ${id}`);
  }

  /** @param query a statement that affected at least one row */
  recordQuery({ query }: CompiledQuery): void {
    if (InsertQueryNode.is(query)) this.record('insert', toTable(query.into), toInsertedId(query));
    else if (DeleteQueryNode.is(query)) this.record('delete', toTable(query.from.froms[0]));
    else if (UpdateQueryNode.is(query)) {
      const columns = (query.updates ?? []).map(({ column }) => toColumn(column));
      if (!columns.every((column) => UNAUDITED_COLUMNS.has(column))) this.record('update', toTable(query.table));
    }
  }
}

/**
 * Records the author of a transaction's writes, in that transaction. Not used by the worker: a sync run records its requester
 * itself.
 */
export async function writeAudit(
  client: pg.PoolClient,
  tenantId: string | undefined,
  { operationId, actor, requestId, object }: AuditContext,
  writes: Writes,
): Promise<void> {
  if (writes.isEmpty) return;
  const { entries } = writes;
  const values = [operationId, actor, requestId, object, entries];
  // Rows of `audit` are deleted with their tenant, so the deletion itself is recorded elsewhere.
  if (tenantId === undefined || entries.includes('delete tenants')) {
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
  node !== undefined && TableNode.is(node) ? node.table.identifier.name : 'unknown table';

const toColumn = (node: OperationNode): string =>
  'column' in node ? ((node.column as { column?: { name?: string }; name?: string }).name ?? '') : '';

/** The id of an inserted row; undefined for several rows, or without an id column. */
function toInsertedId({ columns, values }: InsertQueryNode): string | undefined {
  const index = columns?.findIndex(({ column }) => column.name === 'id') ?? -1;
  const rows =
    values !== undefined && 'values' in values ? (values.values as readonly { values: readonly unknown[] }[]) : [];
  const [row] = rows;
  if (index < 0 || rows.length !== 1 || row === undefined) return undefined;
  const cell = row.values[index];
  const id = typeof cell === 'object' && cell !== null && 'value' in cell ? cell.value : cell;
  return typeof id === 'string' ? id : undefined;
}
