import { createHash } from 'node:crypto';
import type { Db } from '../../db/database.js';
import { isActive } from '../../domain/sync-run.js';
import type { SyncRun } from './repository.js';
import { getSync } from './service.js';

/** How a run stands, with a name for exactly that. */
export interface RunEvent {
  readonly id: string;
  readonly run: SyncRun;
  readonly isLast: boolean;
}

export const getRunEvent = async (db: Db, tenantId: string, runId: string): Promise<RunEvent> =>
  toRunEvent(await getSync(db, tenantId, runId));

/**
 * Tells each change of a run until it has ended, without what the caller has seen already. Undefined: nothing new.
 * @param wait until it is worth looking again; false: nobody wants to know any more
 */
export async function* followRun(
  db: Db,
  tenantId: string,
  first: RunEvent,
  lastSeenId: string | undefined,
  wait: () => Promise<boolean>,
): AsyncGenerator<RunEvent | undefined> {
  let seen = lastSeenId;
  for (let now = first; ; now = await getRunEvent(db, tenantId, first.run.id)) {
    yield now.id === seen ? undefined : now;
    seen = now.id;
    if (now.isLast || !(await wait())) return;
  }
}

function toRunEvent(run: SyncRun): RunEvent {
  const { status, step, attempt, retryAt } = run;
  const id = createHash('sha256')
    .update(JSON.stringify([status, step, attempt, retryAt]))
    .digest('base64url')
    .slice(0, 16);
  return { id, run, isLast: !isActive(status) };
}
