import type { FailureReason } from '../domain/failure-reason.js';
import type { Message } from '../domain/message.js';
import { type ChangeRange, NO_COUNTS, type RunStatus, type SyncCounts, type SyncRows } from '../domain/sync-run.js';
import type { Skip } from '../domain/vendor.js';
import type { PlanNotes } from './items.js';
import type { InputVersions, PlanSettings, PlanTotals, RunWarning } from './settings.js';

/** Limit for the warnings, skips and notes stored with a run. The run's counts include all of them. */
export const MAX_NOTES_STORED = 100;

/** What a run reports. */
export interface RunResult {
  readonly status: RunStatus;
  readonly reason?: FailureReason;
  readonly reasonMessage?: Message;
  readonly operatorDetail?: string | undefined;
  readonly needsOperator?: boolean;
  readonly counts?: SyncCounts;
  readonly rows?: SyncRows;
  readonly warnings?: readonly RunWarning[];
  readonly skips?: readonly Skip[];
  readonly directoryVersion?: number;
  readonly plannedAt?: Date | undefined;
  /** Set with `planDigest` if the plan was stored and not applied. */
  readonly inputVersions?: InputVersions;
  readonly planDigest?: string;
  readonly listDigest?: string;
  readonly changes?: ChangeRange | undefined;
  readonly notes?: PlanNotes;
}

/** A plan's result, with the rows and warnings of the list: they can change without any license changing. */
export function toPlannedResult(settings: PlanSettings, { counts, rows, warnings }: PlanTotals) {
  const { fetchedRows: fetched, duplicateRows: duplicate, skippedRows: skipped, skips, version } = settings.directory;
  return {
    counts,
    rows: { fetched, used: rows.used, filtered: rows.filtered, duplicate, skipped },
    warnings: toRunWarnings(settings, counts, warnings),
    skips,
    directoryVersion: version,
  };
}

/**
 * The conflicts come first, because a run stores a limited number of warnings. A list of laboratories only concerns tenants
 * that include laboratories.
 */
function toRunWarnings(
  { directory, includeLabs }: PlanSettings,
  { conflicts }: Pick<SyncCounts, 'conflicts'>,
  planWarnings: readonly RunWarning[],
): readonly RunWarning[] {
  const listWarnings = directory.warnings.filter(
    (warning) => includeLabs || warning.code !== 'list_not_read' || warning.action !== 'sync_qa_lab',
  );
  const openConflicts = { code: 'open_conflicts', licenseNumber: null } as const;
  return [...(conflicts === 0 ? [] : [openConflicts]), ...listWarnings, ...planWarnings];
}

/** The result of a sync that applied changes or found none to apply. */
export function toSucceededResult(settings: PlanSettings, totals: PlanTotals): RunResult {
  const { refusedDigest } = settings.directory;
  const result = toPlannedResult(settings, totals);
  const isAcceptable = result.warnings.some(({ code }) => code === 'missing_kept' || code === 'list_dismissed');
  return {
    ...result,
    status: result.warnings.length === 0 ? 'succeeded' : 'succeeded_with_warnings',
    // An operator can confirm that the licenses are gone.
    ...(isAcceptable && refusedDigest !== null && { listDigest: refusedDigest }),
  };
}

/** The counts of a sync that changes nothing. */
export const toUnchangedCounts = (companyCount: number, conflicts: number): SyncCounts => ({
  ...NO_COUNTS,
  unchanged: companyCount,
  conflicts,
});
