import {
  type CompiledQuery,
  DeleteQueryNode,
  InsertQueryNode,
  type OperationNode,
  TableNode,
  UpdateQueryNode,
} from 'kysely';

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

  #toAuditText = (text: string): string => text;

  /** Applied to the actor and the path in the audit entry of this transaction. */
  replaceInAudit(replace: (text: string) => string): void {
    this.#toAuditText = replace;
  }

  toAuditText(text: string): string {
    return this.#toAuditText(text);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get entries(): string[] {
    return [...this.#entries].slice(0, MAX_ENTRIES);
  }

  /** @param id identifies the row, and may say what the verb alone does not */
  record(verb: 'insert' | 'update' | 'delete' | 'activate' | 'deactivate', table: string, id?: string): void {
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
