import type { Tx } from '../db/database.js';

/** Replaces an actor in the change feed, in the creators of companies and in decisions. */
export async function replaceActor(tx: Tx, from: string, to: string): Promise<void> {
  await tx.updateTable('changes').set({ actor: to }).where('actor', '=', from).execute();
  await tx.updateTable('companies').set({ created_actor: to }).where('created_actor', '=', from).execute();
  await tx.updateTable('conflicts').set({ decided_by: to }).where('decided_by', '=', from).execute();
}
