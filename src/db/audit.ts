import { type CommitHook, clientOf, writesOf } from './database.js';

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
    const values = [operationId, actor, requestId, object, entries];
    // Rows of `audit` are deleted with their tenant, so the deletion itself is recorded elsewhere.
    if (tenantId === undefined || entries.includes('delete tenants')) {
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
