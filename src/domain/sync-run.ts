/** What a run did to companies, and (`moved`) to licenses. */
export interface SyncCounts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly archived: number;
  readonly reactivated: number;
  /** Manual companies that became the vendor company of a UBI. */
  readonly adopted: number;
  /** Licenses that went from one company to another. */
  readonly moved: number;
  readonly conflicts: number;
}

/** What became of the rows of the state's list: `fetched = used + filtered + duplicate + skipped`. */
export interface SyncRows {
  readonly fetched: number;
  readonly used: number;
  /** Inactive at first sight, or a lab where labs are not wanted. */
  readonly filtered: number;
  readonly duplicate: number;
  readonly skipped: number;
}

export const RUN_STATUSES = [
  'queued',
  'running',
  'succeeded',
  'succeeded_with_warnings',
  'needs_review',
  'failed',
  'canceled',
  'superseded',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Somebody works on it or will. */
export const isActive = (status: RunStatus): boolean => status === 'queued' || status === 'running';

/** How far a run is, in this order. */
export const RUN_STEPS = ['queued', 'fetching', 'planning', 'applying', 'done'] as const;
export type RunStep = (typeof RUN_STEPS)[number];

/** The numbers of the first and the last of some lines of a change feed that stand together. */
export interface ChangeRange {
  readonly first: number;
  readonly last: number;
}

/** What a plan does to one thing. */
export const PLAN_ACTIONS = [
  'created',
  'updated',
  'moved',
  'archived',
  'reactivated',
  'adopted',
  'conflict',
  'ambiguous',
  'skipped',
  'unchanged',
] as const;
export type PlanAction = (typeof PLAN_ACTIONS)[number];
