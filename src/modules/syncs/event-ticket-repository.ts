import { sql } from 'kysely';
import type { Tx } from '../../db/database.js';
import type { Principal } from '../../domain/principal.js';

/** The instants of a principal as JSON. */
interface StoredPrincipal extends Omit<Principal, 'expiresAt'> {
  readonly expiresAt: string | null;
}

interface NewTicket {
  readonly tenantId: string;
  readonly runId: string;
  readonly hash: Buffer;
  readonly principal: Principal;
  readonly lifetimeSeconds: number;
}

/** @returns when it expires, by the clock of Postgres */
export async function insertTicket(
  tx: Tx,
  { tenantId, runId, hash, principal, lifetimeSeconds }: NewTicket,
): Promise<Date> {
  const { expires_datetime: expiresAt } = await tx
    .insertInto('event_tickets')
    .values({
      tenant_id: tenantId,
      run_id: runId,
      ticket_hash: hash,
      principal: JSON.stringify(principal),
      expires_datetime: sql<Date>`now() + make_interval(secs => ${lifetimeSeconds})`,
    })
    .returning('expires_datetime')
    .executeTakeFirstOrThrow();
  return expiresAt;
}

/** Of this tenant. A used ticket is known for as long, so that a reconnecting browser gets 204 instead of 401. */
export async function deleteExpiredTickets(tx: Tx, ageSeconds: number): Promise<void> {
  await tx
    .deleteFrom('event_tickets')
    .where('expires_datetime', '<', sql<Date>`now() - make_interval(secs => ${ageSeconds})`)
    .execute();
}

/** Whether the tenant has this many tickets that were issued within their lifetime. */
export async function hasRecentTickets(tx: Tx, count: number): Promise<boolean> {
  const row = await tx
    .selectFrom('event_tickets')
    .select('run_id')
    .where('expires_datetime', '>', sql<Date>`now()`)
    .offset(count - 1)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** @param actor see `toActor` */
export async function deleteTicketsOf(tx: Tx, actor: string): Promise<void> {
  await tx
    .deleteFrom('event_tickets')
    .where(sql<boolean>`(principal ->> 'kind') || ':' || (principal ->> 'id') = ${actor}`)
    .execute();
}

/** Uses a ticket: only the first call gets its principal. Undefined if it is unknown, used or expired. */
export async function takeTicket(tx: Tx, runId: string, hash: Buffer): Promise<Principal | undefined> {
  const { rows } = await sql<{ principal: StoredPrincipal }>`
    with unused as (
      select tenant_id, ticket_hash, principal from event_tickets
       where ticket_hash = ${hash} and run_id = ${runId} and principal is not null and expires_datetime > clock_timestamp()
         for update)
    update event_tickets set principal = null from unused
     where event_tickets.tenant_id = unused.tenant_id and event_tickets.ticket_hash = unused.ticket_hash
    returning unused.principal`.execute(tx);
  const [row] = rows;
  return row === undefined ? undefined : toPrincipal(row.principal);
}

export async function isTicketUsed(tx: Tx, runId: string, hash: Buffer): Promise<boolean> {
  const row = await tx
    .selectFrom('event_tickets')
    .select('run_id')
    .where('ticket_hash', '=', hash)
    .where('run_id', '=', runId)
    .where('principal', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** Whether the API key still exists and has not expired. */
export async function isApiKeyValid(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql<{ valid: boolean }>`select is_api_key_valid(${id}) as valid`.execute(tx);
  return rows[0]?.valid === true;
}

const toPrincipal = (stored: StoredPrincipal): Principal =>
  ({ ...stored, expiresAt: stored.expiresAt === null ? null : new Date(stored.expiresAt) }) as Principal;
