import { sql } from 'kysely';
import { type Cell, type Columns, insertRows, updateRows } from '../../db/bulk.js';
import type { Tx } from '../../db/database.js';
import type { ChangeRange } from '../../domain/sync-run.js';
import type { CompanyState, LicenseState, SyncPlan } from '../../mapping/index.js';
import { type Change, toChanges } from './change.js';

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

const LICENSE_COLUMNS = {
  tenant_id: 'uuid',
  id: 'uuid',
  company_id: 'uuid',
  own_company_id: 'uuid',
  license_key: 'text',
  license_number: 'text',
  ubi: 'text',
  ubi_key: 'text',
  name: 'text',
  license_type: 'text',
  license_type_raw: 'text',
  activities: 'text[]',
  address_line1: 'text',
  address_line2: 'text',
  city: 'text',
  address_state: 'text',
  zip: 'text',
  is_lab: 'boolean',
  named_by_company_id: 'uuid',
  active: 'boolean',
  missing_since_datetime: 'timestamptz',
  transaction_id_original: 'text',
  content_hash: 'text',
} as const satisfies Columns;

const toLicenseRow = (tenantId: string, license: LicenseState): Cell[] => [
  tenantId,
  license.id,
  license.companyId,
  license.ownCompanyId,
  license.licenseKey,
  license.licenseNumber,
  license.ubi,
  license.ubiKey,
  license.name,
  license.licenseType,
  license.licenseTypeRaw,
  license.activities,
  license.address.line1,
  license.address.line2,
  license.address.city,
  license.address.state,
  license.address.zip,
  license.isLab,
  license.namedByCompanyId,
  license.active,
  license.missingSinceDatetime,
  license.transactionIdOriginal,
  license.contentHash,
];

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
export async function applyPlan(
  tx: Tx,
  tenantId: string,
  plan: Pick<SyncPlan, 'companies' | 'licenses' | 'newVendorCompanies' | 'includeLabs' | 'strategy' | 'decisions'>,
  origin: ChangeOrigin,
): Promise<ChangeRange | undefined> {
  const companies = toCreatedAndChanged(plan.companies, (company) => toCompanyRow(tenantId, company));
  const licenses = toCreatedAndChanged(plan.licenses, (license) => toLicenseRow(tenantId, license));
  // Companies before their licenses: those refer to them.
  await insertRows(tx, 'companies', COMPANY_COLUMNS, companies.created);
  await updateRows(tx, 'companies', KEYS, COMPANY_COLUMNS, companies.changed, [...TOUCHED, 'version = version + 1']);
  await insertRows(tx, 'company_licenses', LICENSE_COLUMNS, licenses.created);
  await updateRows(tx, 'company_licenses', KEYS, LICENSE_COLUMNS, licenses.changed, TOUCHED);
  await insertRows(
    tx,
    'vendor_companies',
    { tenant_id: 'uuid', ubi_key: 'text', company_id: 'uuid' },
    plan.newVendorCompanies.map(({ ubiKey, companyId }) => [tenantId, ubiKey, companyId]),
  );
  return recordChanges(tx, tenantId, toChanges(plan), origin);
}

interface AnyStep<State> {
  readonly before: State | undefined;
  readonly after: State;
}

function toCreatedAndChanged<State>(steps: readonly AnyStep<State>[], toRow: (state: State) => Cell[]) {
  return {
    created: steps.filter(({ before }) => before === undefined).map(({ after }) => toRow(after)),
    changed: steps.filter(({ before }) => before !== undefined).map(({ after }) => toRow(after)),
  };
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
  changes: readonly Change[],
  { actor, runId }: ChangeOrigin,
): Promise<ChangeRange | undefined> {
  if (changes.length === 0) return undefined;
  const { last } = await tx
    .updateTable('tenants')
    .set((eb) => ({
      last_change_seq: eb('last_change_seq', '+', changes.length),
      revision: eb('revision', '+', 1),
    }))
    .returning('last_change_seq as last')
    .executeTakeFirstOrThrow();
  const first = last - changes.length + 1;
  const rows = changes.map((change, index): Cell[] => [
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
  ]);
  await insertRows(tx, 'changes', CHANGE_COLUMNS, rows);
  return { first, last };
}

/** From now on state, environment and strategy are in use. */
export async function noteFirstSync(tx: Tx): Promise<void> {
  await tx
    .updateTable('tenants')
    .set({ first_synced_datetime: sql`now()` })
    .where('first_synced_datetime', 'is', null)
    .execute();
}
