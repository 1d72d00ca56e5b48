import type { Tx } from '../db/database.js';
import { getInputsRevision } from './settings-repository.js';
import { saveEditedState } from './state-repository.js';

/** Replaces an actor in the change feed, in the creators of companies and in decisions. The next sync need not plan anything. */
export async function replaceActor(tx: Tx, from: string, to: string): Promise<void> {
  const revision = await getInputsRevision(tx);
  await tx.updateTable('changes').set({ actor: to }).where('actor', '=', from).execute();
  await tx.updateTable('conflicts').set({ decided_by: to }).where('decided_by', '=', from).execute();
  const created = tx.selectFrom('companies').select('id').where('created_actor', '=', from);
  // Even an update of no row would move the revision of the inputs, and with it make previews stale.
  if ((await created.limit(1).executeTakeFirst()) === undefined) return;
  await tx.updateTable('companies').set({ created_actor: to }).where('created_actor', '=', from).execute();
  await saveEditedState(tx, revision);
}
