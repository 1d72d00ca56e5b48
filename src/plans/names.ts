import type { Tx } from '../db/database.js';
import { planNames } from '../mapping/index.js';
import { type ChangeOrigin, NO_STEPS, savePlannedRows } from './rows-repository.js';
import { loadCompanies, loadNamesakes } from './snapshot-repository.js';

/** Recomputes the display names of a company and of all companies that share its previous or its new name. */
export async function applyDisplayNames(
  tx: Tx,
  tenantId: string,
  id: string,
  nameGroups: readonly string[],
  origin: ChangeOrigin,
): Promise<void> {
  const { companies, licenses } = await loadNamesakes(tx, nameGroups);
  // An archived company affects no other name, but has a display name too.
  const isActive = companies.some((company) => company.id === id);
  const named = isActive ? companies : [...companies, ...(await loadCompanies(tx, [id]))];
  await savePlannedRows(tx, tenantId, { ...NO_STEPS, companies: planNames({ companies: named, licenses }) }, origin);
}
