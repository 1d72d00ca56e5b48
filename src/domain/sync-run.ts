/** What a run did, counted in companies except where noted. */
export interface SyncCounts {
  readonly created: number;
  readonly updated: number;
  /** Without adopted companies. */
  readonly unchanged: number;
  readonly archived: number;
  readonly reactivated: number;
  /** Manual companies that became the vendor company of a UBI. */
  readonly adopted: number;
  readonly licensesCreated: number;
  /** Licenses with other details, still active or still inactive. */
  readonly licensesUpdated: number;
  readonly licensesDeactivated: number;
  readonly licensesReactivated: number;
  /** Licenses that moved from one company to another. */
  readonly moved: number;
  readonly conflicts: number;
}

export const NO_COUNTS: SyncCounts = {
  created: 0,
  updated: 0,
  unchanged: 0,
  archived: 0,
  reactivated: 0,
  adopted: 0,
  licensesCreated: 0,
  licensesUpdated: 0,
  licensesDeactivated: 0,
  licensesReactivated: 0,
  moved: 0,
  conflicts: 0,
};

/** Rows of the state's list: `fetched = used + filtered + duplicate + skipped`. */
export interface SyncRows {
  readonly fetched: number;
  readonly used: number;
  /** Licenses that were inactive when first listed, and labs if labs are excluded. */
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

export const isActive = (status: RunStatus): boolean => status === 'queued' || status === 'running';

/** What starts a run. */
export const RUN_TRIGGERS = ['request', 'setup_completed', 'schedule', 'superseded'] as const;

/** What a run does with its plan. */
export const RUN_MODES = ['full', 'preview'] as const;

/** The steps of a run, in order. */
export const RUN_STEPS = ['queued', 'fetching', 'planning', 'applying', 'done'] as const;
export type RunStep = (typeof RUN_STEPS)[number];

/** A range of consecutive `seq` values in the change feed, both ends included. */
export interface ChangeRange {
  readonly first: number;
  readonly last: number;
}

/** What a plan does with one company, license or row. */
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
