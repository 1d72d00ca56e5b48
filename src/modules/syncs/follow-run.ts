import { createHash } from 'node:crypto';
import type { Db } from '../../db/database.js';
import { isActive } from '../../domain/sync-run.js';
import type { SyncRun } from './repository.js';
import { getSync } from './service.js';

/** A state of a run, with an id that identifies this state. */
export interface RunEvent {
  readonly id: string;
  readonly run: SyncRun;
  readonly isLast: boolean;
}

export const getRunEvent = async (db: Db, tenantId: string, runId: string): Promise<RunEvent> =>
  toRunEvent(await getSync(db, tenantId, runId));

/**
 * Yields each change of a run until it has ended, without the event that the caller has already received. Yields
 * undefined if nothing changed.
 * @param wait resolves when it is time to read the run again; false if the caller has disconnected
 */
export async function* followRun(
  db: Db,
  tenantId: string,
  first: RunEvent,
  lastSeenId: string | undefined,
  wait: () => Promise<boolean>,
): AsyncGenerator<RunEvent | undefined> {
  let seen = lastSeenId;
  for (let event = first; ; event = await getRunEvent(db, tenantId, first.run.id)) {
    yield event.id === seen ? undefined : event;
    seen = event.id;
    if (event.isLast || !(await wait())) return;
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
