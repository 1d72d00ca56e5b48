import type { Tx } from '../../db/database.js';
import type { Strategy } from '../../domain/strategy.js';

export interface CreationPreference {
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  readonly version: number;
  readonly insertedAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = [
  'strategy',
  'include_labs as includeLabs',
  'version',
  'inserted_datetime as insertedAt',
  'updated_datetime as updatedAt',
] as const;

export const findCreationPreference = (tx: Tx): Promise<CreationPreference | undefined> =>
  tx.selectFrom('creation_preferences').select(COLUMNS).executeTakeFirst();

export const saveCreationPreference = (
  tx: Tx,
  tenantId: string,
  { strategy, includeLabs }: Pick<CreationPreference, 'strategy' | 'includeLabs'>,
): Promise<CreationPreference> =>
  tx
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
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
