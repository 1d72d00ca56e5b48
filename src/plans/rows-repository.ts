import { type Cell, type Columns, insertRows, RowSource, updateRows } from '../db/bulk.js';
import type { Tx } from '../db/database.js';
import { LISTING_COLUMNS, toListingCells } from '../db/license-columns.js';
import { namesOf, toColumns } from '../domain/snake-case.js';
import type { ChangeRange } from '../domain/sync-run.js';
import { runYielding } from '../domain/yielding.js';
import {
  type CompanyState,
  type CompanyStep,
  type LicenseState,
  type LicenseStep,
  type SyncPlan,
  toReasons,
} from '../mapping/index.js';
import { allocateChangeNumbers } from '../modules/tenants/index.js';
import { type CompanyFeedChange, type FeedState, summarizeChanges, toChanges } from './changes.js';
import { PLACEMENT_FIELDS, PLANNED_FIELDS } from './fields.js';
import { toCompanySearchText, toLicenseSearchText } from './search-text.js';

const COMPANY_COLUMNS = {
  tenant_id: 'uuid',
  ...toColumns(PLANNED_FIELDS),
  search_text: 'text',
} as const satisfies Columns;
const NEW_COMPANY_COLUMNS = {
  ...COMPANY_COLUMNS,
  created_reason: 'text',
  created_actor: 'text',
  created_run_id: 'uuid',
} as const satisfies Columns;
const companyFields = namesOf(PLANNED_FIELDS);

function toCompanyCells(tenantId: string, company: CompanyState): Cell[] {
  const cells: Cell[] = [tenantId];
  for (const field of companyFields) cells.push(company[field]);
  cells.push(toCompanySearchText(company));
  return cells;
}

const PLACEMENT_COLUMNS = { tenant_id: 'uuid', ...toColumns(PLACEMENT_FIELDS) } as const satisfies Columns;
const LICENSE_COLUMNS = { ...PLACEMENT_COLUMNS, ...LISTING_COLUMNS, search_text: 'text' } as const satisfies Columns;
const placementFields = namesOf(PLACEMENT_FIELDS);

function toPlacementCells(tenantId: string, license: LicenseState): Cell[] {
  const cells: Cell[] = [tenantId];
  for (const field of placementFields) cells.push(license[field]);
  return cells;
}

const toLicenseCells = (tenantId: string, license: LicenseState): Cell[] =>
  toPlacementCells(tenantId, license).concat(toListingCells(license), toLicenseSearchText(license));

const KEYS = ['tenant_id', 'id'];
// Later than every stamp of an earlier transaction, because the tenant is locked. `now()` was taken before the lock.
const TOUCHED = ['updated_datetime = clock_timestamp()'];
const TOUCHED_COMPANY = [...TOUCHED, 'version = version + 1'];

/** The actor and the run of a change. */
export interface ChangeOrigin {
  readonly actor: string;
  /** Null for a change that a user made directly. */
  readonly runId: string | null;
}

/** The steps of a plan, and what their reasons depend on. */
export type PlannedRows = Pick<
  SyncPlan,
  'companies' | 'licenses' | 'newVendorCompanies' | 'includeLabs' | 'strategy' | 'decisions'
>;

/**
 * Writes the rows of a plan and its feed entries. The transaction must have locked the tenant before the plan's snapshot was
 * read. Undefined: no feed entry was written, because nothing changed that a caller can see.
 */
export async function savePlannedRows(
  tx: Tx,
  tenantId: string,
  plan: PlannedRows,
  origin: ChangeOrigin,
  feed: FeedState = 'continued',
): Promise<ChangeRange | undefined> {
  const reasons = toReasons(plan);
  const toNewCompanyCells = (step: CompanyStep): Cell[] => [
    ...toCompanyCells(tenantId, step.after),
    reasons.ofCompany(step),
    origin.actor,
    origin.runId,
  ];
  const companies = {
    created: new RowSource(rowsOf(plan.companies, isNew, toNewCompanyCells)),
    changed: rowsOf(plan.companies, isKnown, ({ after }) => toCompanyCells(tenantId, after)),
  };
  const licenses = {
    created: new RowSource(rowsOf(plan.licenses, isNew, ({ after }) => toLicenseCells(tenantId, after))),
    changed: rowsOf(plan.licenses, isListingChanged, ({ after }) => toLicenseCells(tenantId, after)),
    placed: rowsOf(plan.licenses, isOnlyPlaced, ({ after }) => toPlacementCells(tenantId, after)),
  };
  const { count, touchedIds } = await runYielding(summarizeChanges(plan, feed));
  const range = count === 0 ? undefined : await allocateChangeNumbers(tx, count);
  const entries = new RowSource(
    range === undefined ? [] : toChangeRows(tenantId, toChanges(plan, reasons, feed), range, origin),
  );
  // Licenses have foreign keys to companies.
  const next = [licenses.created, entries];
  await insertRows(tx, 'companies', NEW_COMPANY_COLUMNS, companies.created, next);
  await updateRows(tx, 'companies', {
    keys: KEYS,
    columns: COMPANY_COLUMNS,
    rows: companies.changed,
    alsoSet: TOUCHED_COMPANY,
    next,
  });
  await updateRows(tx, 'companies', {
    keys: KEYS,
    columns: { tenant_id: 'uuid', id: 'uuid' },
    rows: touchedIds.map((id) => [tenantId, id]),
    alsoSet: TOUCHED_COMPANY,
    next,
  });
  await insertRows(tx, 'company_licenses', LICENSE_COLUMNS, licenses.created, [entries]);
  await updateRows(tx, 'company_licenses', {
    keys: KEYS,
    columns: LICENSE_COLUMNS,
    rows: licenses.changed,
    alsoSet: TOUCHED,
    next: [entries],
  });
  await updateRows(tx, 'company_licenses', {
    keys: KEYS,
    columns: PLACEMENT_COLUMNS,
    rows: licenses.placed,
    alsoSet: TOUCHED,
    next: [entries],
  });
  await insertRows(
    tx,
    'vendor_companies',
    { tenant_id: 'uuid', ubi_key: 'text', company_id: 'uuid' },
    new RowSource(plan.newVendorCompanies.map(({ ubiKey, companyId }) => [tenantId, ubiKey, companyId])),
  );
  await insertRows(tx, 'changes', CHANGE_COLUMNS, entries);
  return range;
}

/** A plan without steps, for rows that a user's request writes. */
export const NO_STEPS = {
  companies: [],
  licenses: [],
  newVendorCompanies: [],
  includeLabs: false,
  strategy: 'one_per_license',
  decisions: [],
} as const;

const isNew = ({ before }: CompanyStep | LicenseStep): boolean => before === undefined;
const isKnown = (step: CompanyStep | LicenseStep): boolean => !isNew(step);

/** The listed fields stay the same, as for most licenses moved by a switch: two thirds of the columns are not sent. */
const isOnlyPlaced = ({ before, after }: LicenseStep): boolean =>
  before !== undefined && before.contentHash === after.contentHash && before.ubi === after.ubi;
const isListingChanged = (step: LicenseStep): boolean => isKnown(step) && !isOnlyPlaced(step);

/** Lazy: a row is built when it is sent. */
function* rowsOf<Step>(
  steps: readonly Step[],
  isIncluded: (step: Step) => boolean,
  toCells: (step: Step) => Cell[],
): Generator<Cell[]> {
  for (const step of steps) if (isIncluded(step)) yield toCells(step);
}

const CHANGE_COLUMNS = {
  tenant_id: 'uuid',
  seq: 'bigint',
  kind: 'text',
  reason: 'text',
  company_id: 'uuid',
  from_company_id: 'uuid',
  license_id: 'uuid',
  before: 'jsonb',
  after: 'jsonb',
  actor: 'text',
  run_id: 'uuid',
} as const satisfies Columns;

/** Appends entries to the tenant's change feed, which also increases its revision. */
export async function recordChanges(
  tx: Tx,
  tenantId: string,
  changes: readonly CompanyFeedChange[],
  origin: ChangeOrigin,
): Promise<void> {
  if (changes.length === 0) return;
  const range = await allocateChangeNumbers(tx, changes.length);
  await insertRows(tx, 'changes', CHANGE_COLUMNS, new RowSource(toChangeRows(tenantId, changes, range, origin)));
}

function* toChangeRows(
  tenantId: string,
  changes: Iterable<CompanyFeedChange>,
  { first }: ChangeRange,
  { actor, runId }: ChangeOrigin,
): Generator<Cell[]> {
  let seq = first;
  for (const change of changes) {
    yield [
      tenantId,
      seq,
      change.kind,
      change.reason,
      change.companyId,
      change.fromCompanyId,
      change.licenseId,
      change.before,
      change.after,
      actor,
      runId,
    ];
    seq += 1;
  }
}
