import type { Tx } from '../../db/database.js';

/** In the order in which it happened; one more than `size` tells that there is another page. */
export const selectChanges = (tx: Tx, size: number, afterSeq: number) =>
  tx
    .selectFrom('changes')
    .selectAll()
    .where('seq', '>', afterSeq)
    .orderBy('seq')
    .limit(size + 1)
    .execute();

export type ChangeRow = Awaited<ReturnType<typeof selectChanges>>[number];
