import { sql } from 'kysely';
import { type Cell, type Columns, insertRows, RowSource, updateRows } from '../../db/bulk.js';
import { takeChangeNumbers } from '../../db/change-numbers.js';
import type { Tx } from '../../db/database.js';
import { LISTING_COLUMNS, toListingCells } from '../../db/license-columns.js';
import type { ChangeRange } from '../../domain/sync-run.js';
import { runYielding } from '../../domain/yielding.js';
import type { CompanyState, CompanyStep, LicenseState, LicenseStep, SyncPlan } from '../../mapping/index.js';
import { type CompanyFeedChange, toChanges } from './change.js';

const COMPANY_COLUMNS = {
  tenant_id: 'uuid',
  id: 'uuid',
  origin: 'text',
  source_name: 'text',
  edited_name: 'text',
  display_name: 'text',
  name_group: 'text',
  ubi: 'text',
  ubi_key: 'text',
  is_own_company: 'boolean',
  archived_datetime: 'timestamptz',
  superseded_by: 'uuid',
} as const satisfies Columns;

const toCompanyRow = (tenantId: string, company: CompanyState): Cell[] => [
  tenantId,
  company.id,
  company.origin,
  company.sourceName,
  company.editedName,
  company.displayName,
  company.nameGroup,
  company.ubi,
  company.ubiKey,
  company.isOwnCompany,
  company.archivedDatetime,
  company.supersededBy,
];

/** Where a license stands; the rest is what the state says of it. */
const PLACE_COLUMNS = {
  tenant_id: 'uuid',
  id: 'uuid',
  company_id: 'uuid',
  own_company_id: 'uuid',
  named_by_company_id: 'uuid',
  active: 'boolean',
  missing_since_datetime: 'timestamptz',
} as const satisfies Columns;

const LICENSE_COLUMNS = { ...PLACE_COLUMNS, ...LISTING_COLUMNS } as const satisfies Columns;

const toPlaceCells = (tenantId: string, license: LicenseState): Cell[] => [
  tenantId,
  license.id,
  license.companyId,
  license.ownCompanyId,
  license.namedByCompanyId,
  license.active,
  license.missingSinceDatetime,
];

const toLicenseRow = (tenantId: string, license: LicenseState): Cell[] =>
  toPlaceCells(tenantId, license).concat(toListingCells(license));

const KEYS = ['tenant_id', 'id'];
const TOUCHED = ['updated_datetime = now()'];

/** Who did it and in which run: what every change row says. */
export interface ChangeOrigin {
  readonly actor: string;
  /** Null: a person did it directly. */
  readonly runId: string | null;
}

/**
 * Carries a plan out, decides nothing. The transaction must hold the tenant's lock since before the snapshot was read.
 * Undefined: nothing changed that a caller can see.
 */
export async function savePlannedRows(
  tx: Tx,
  tenantId: string,
  plan: Pick<SyncPlan, 'companies' | 'licenses' | 'newVendorCompanies' | 'includeLabs' | 'strategy' | 'decisions'>,
  origin: ChangeOrigin,
): Promise<ChangeRange | undefined> {
  const companies = {
    created: new RowSource(rowsOf(plan.companies, isNew, ({ after }) => toCompanyRow(tenantId, after))),
    changed: rowsOf(plan.companies, isKnown, ({ after }) => toCompanyRow(tenantId, after)),
  };
  const licenses = {
    created: new RowSource(rowsOf(plan.licenses, isNew, ({ after }) => toLicenseRow(tenantId, after))),
    changed: rowsOf(plan.licenses, isTold, ({ after }) => toLicenseRow(tenantId, after)),
    placed: rowsOf(plan.licenses, isPlacedOnly, ({ after }) => toPlaceCells(tenantId, after)),
  };
  const changes = await runYielding(toChanges(plan));
  const range = changes.length === 0 ? undefined : await takeChangeNumbers(tx, changes.length);
  const lines = new RowSource(range === undefined ? [] : toChangeRows(tenantId, changes, range, origin));
  // Companies before their licenses: those refer to them.
  const next = [licenses.created, lines];
  const raised = [...TOUCHED, 'version = version + 1'];
  await insertRows(tx, 'companies', COMPANY_COLUMNS, companies.created, next);
  await updateRows(tx, 'companies', KEYS, COMPANY_COLUMNS, companies.changed, raised, next);
  await insertRows(tx, 'company_licenses', LICENSE_COLUMNS, licenses.created, [lines]);
  await updateRows(tx, 'company_licenses', KEYS, LICENSE_COLUMNS, licenses.changed, TOUCHED, [lines]);
  await updateRows(tx, 'company_licenses', KEYS, PLACE_COLUMNS, licenses.placed, TOUCHED, [lines]);
  await insertRows(
    tx,
    'vendor_companies',
    { tenant_id: 'uuid', ubi_key: 'text', company_id: 'uuid' },
    new RowSource(plan.newVendorCompanies.map(({ ubiKey, companyId }) => [tenantId, ubiKey, companyId])),
  );
  await insertRows(tx, 'changes', CHANGE_COLUMNS, lines);
  return range;
}

const isNew = ({ before }: CompanyStep | LicenseStep): boolean => before === undefined;
const isKnown = (step: CompanyStep | LicenseStep): boolean => !isNew(step);

/** What the state says of it stays as it is, as with most licenses that a switch moves: less to send by two thirds. */
const isPlacedOnly = ({ before, after }: LicenseStep): boolean =>
  before !== undefined && before.contentHash === after.contentHash && before.ubi === after.ubi;
const isTold = (step: LicenseStep): boolean => isKnown(step) && !isPlacedOnly(step);

/** Made as they are sent. */
function* rowsOf<Step>(
  steps: readonly Step[],
  isMeant: (step: Step) => boolean,
  toRow: (step: Step) => Cell[],
): Generator<Cell[]> {
  for (const step of steps) if (isMeant(step)) yield toRow(step);
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

/** Adds lines to the tenant's feed, and moves the revision that its lists are read by. */
export async function recordChanges(
  tx: Tx,
  tenantId: string,
  changes: readonly CompanyFeedChange[],
  origin: ChangeOrigin,
): Promise<void> {
  if (changes.length === 0) return;
  const range = await takeChangeNumbers(tx, changes.length);
  await insertRows(tx, 'changes', CHANGE_COLUMNS, new RowSource(toChangeRows(tenantId, changes, range, origin)));
}

function* toChangeRows(
  tenantId: string,
  changes: readonly CompanyFeedChange[],
  { first }: ChangeRange,
  { actor, runId }: ChangeOrigin,
): Generator<Cell[]> {
  for (const [index, change] of changes.entries()) {
    yield [
      tenantId,
      first + index,
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
  }
}

/** From now on state, environment and strategy are in use. */
export async function recordFirstSync(tx: Tx): Promise<void> {
  await tx
    .updateTable('tenants')
    .set({ first_synced_datetime: sql`now()` })
    .where('first_synced_datetime', 'is', null)
    .execute();
}
