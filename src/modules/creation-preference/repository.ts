import type { Tx } from '../../db/database.js';
import type { Strategy } from '../../domain/strategy.js';

export interface CreationPreference {
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

export const findCreationPreference = (tx: Tx): Promise<CreationPreference | undefined> =>
  tx
    .selectFrom('creation_preferences')
    .select([
      'strategy',
      'include_labs as includeLabs',
      'version',
      'inserted_datetime as insertedAt',
      'updated_datetime as updatedAt',
    ])
    .executeTakeFirst();

/** Inserts or replaces. */
export async function saveCreationPreference(
  tx: Tx,
  tenantId: string,
  { strategy, includeLabs }: Pick<CreationPreference, 'strategy' | 'includeLabs'>,
): Promise<void> {
  await tx
    .insertInto('creation_preferences')
    .values({ tenant_id: tenantId, strategy, include_labs: includeLabs })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        strategy,
        include_labs: includeLabs,
        version: eb('creation_preferences.version', '+', 1),
        updated_datetime: eb.fn('now'),
      })),
    )
    .execute();
}
