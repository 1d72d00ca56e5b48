import { sql } from 'kysely';
import type { Tx } from '../db/database.js';
import { toSearchText } from '../domain/search-text.js';
import { toRow } from '../domain/snake-case.js';
import { type CompanyEdits, USER_FIELDS } from './fields.js';

/** Saves a user's edits of a company. */
export async function saveEdits(tx: Tx, id: string, { name, ...edits }: CompanyEdits): Promise<void> {
  const { legalBusinessName } = edits;
  await tx
    .updateTable('companies')
    .set((eb) => ({
      ...toRow({ ...edits, customData: edits.customData && JSON.stringify(edits.customData) }, USER_FIELDS),
      ...(name === undefined ? {} : { edited_name: name }),
      ...(legalBusinessName === undefined
        ? {}
        : { legal_search_text: legalBusinessName && toSearchText(legalBusinessName) }),
      version: eb('version', '+', 1),
      // After the tenant was locked.
      updated_datetime: sql<Date>`clock_timestamp()`,
    }))
    .where('id', '=', id)
    .execute();
}
