import type { DirectoryWarning } from '../domain/directory-warning.js';
import type { Strategy } from '../domain/strategy.js';
import type { SyncCounts, SyncRows } from '../domain/sync-run.js';
import type { Skip } from '../domain/vendor.js';
import type { PlanWarning } from '../mapping/index.js';
import type { Totals } from './totals.js';

/** Everything that a plan depends on. Equal versions give equal companies. */
export interface InputVersions {
  readonly directoryVersion: number;
  readonly mappingVersion: number;
  readonly ubiKey: string;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  /** Increases with every change of the settings, companies, edits and decisions. */
  readonly revision: number;
}

const VERSION_FIELDS = [
  'directoryVersion',
  'mappingVersion',
  'ubiKey',
  'strategy',
  'includeLabs',
  'revision',
] as const satisfies readonly (keyof InputVersions)[];

/** @param except a version that may differ */
export const areInputsEqual = (
  a: Partial<InputVersions>,
  b: Partial<InputVersions>,
  except?: keyof InputVersions,
): boolean => VERSION_FIELDS.every((field) => field === except || a[field] === b[field]);

/** The published list of a state, without its licenses. */
export interface PublishedList {
  readonly id: number;
  readonly version: number;
  readonly fingerprint: string | null;
  readonly fetchedRows: number;
  readonly duplicateRows: number;
  readonly skippedRows: number;
  readonly skips: readonly Skip[];
  readonly warnings: readonly DirectoryWarning[];
  readonly refusedDigest: string | null;
}

/** Information for users about a run that did not fail. */
export type RunWarning =
  | PlanWarning
  | DirectoryWarning
  /** Several companies claim one vendor. The run's counts include the number of such vendors. */
  | { readonly code: 'open_conflicts'; readonly licenseNumber: null }
  /** A user dismissed the plan: nothing is applied until its inputs change. */
  | { readonly code: 'plan_dismissed'; readonly licenseNumber: null }
  /** After a sale: with the previewed strategy, the company of this license would represent another vendor. */
  | { readonly code: 'company_represents_another_vendor'; readonly licenseNumber: string | null }
  /** With the previewed strategy; the items of the plan list the companies. */
  | { readonly code: 'companies_share_a_name'; readonly licenseNumber: null };

/** What a plan found. */
export interface PlanTotals {
  readonly counts: SyncCounts;
  /** Counts of listed licenses. Counts of other rows are stored with the directory. */
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
  readonly warnings: readonly RunWarning[];
}

/** The inputs of the last sync, and the totals of a sync that finds nothing new. */
export interface SyncState extends PlanTotals {
  readonly versions: InputVersions;
  readonly totals: Totals;
  /** Whether the whole tenant was planned recently. */
  readonly isCompared: boolean;
  readonly dismissal: Dismissal | null;
}

/** The inputs of a dismissed plan; edits since then do not matter. */
export interface Dismissal extends Omit<InputVersions, 'revision'> {
  readonly rows: Pick<SyncRows, 'used' | 'filtered'>;
}

/** What a tenant's plan depends on, without lists and companies. */
export interface PlanSettings {
  readonly directory: PublishedList;
  readonly strategy: Strategy;
  readonly includeLabs: boolean;
  readonly ubiKey: string;
  readonly versions: InputVersions;
  /** Undefined before the first sync. */
  readonly lastSync: SyncState | undefined;
}
