import { sql } from 'kysely';
import { type Cell, type Columns, insertRows, updateRows } from '../../db/bulk.js';
import type { Tx } from '../../db/database.js';
import type { Activity } from '../../domain/vendor.js';
import type { CompanyState, LicenseState, Snapshot, SyncPlan } from '../../mapping/index.js';
import { toChange } from './change.js';

/** What the tenant has now. To be read in the transaction that locked the tenant. */
export async function loadSnapshot(tx: Tx, ownUbiKey: string | null): Promise<Snapshot> {
  const companies = await tx.selectFrom('companies').selectAll().orderBy('id').execute();
  const licenses = await tx.selectFrom('company_licenses').selectAll().orderBy('license_key').execute();
  const vendorCompanies = await tx
    .selectFrom('vendor_companies')
    .select(['ubi_key as ubiKey', 'company_id as companyId'])
    .orderBy('ubi_key')
    .execute();
  return {
    companies: companies.map((row) => ({
      id: row.id,
      origin: row.origin,
      sourceName: row.source_name,
      editedName: row.edited_name,
      displayName: row.display_name,
      nameGroup: row.name_group,
      ubi: row.ubi,
      ubiKey: row.ubi_key,
      isOwnCompany: row.is_own_company,
      archivedDatetime: row.archived_datetime?.toISOString() ?? null,
      supersededBy: row.superseded_by,
    })),
    licenses: licenses.map((row) => ({
      id: row.id,
      companyId: row.company_id,
      ownCompanyId: row.own_company_id,
      licenseKey: row.license_key,
      licenseNumber: row.license_number,
      ubi: row.ubi,
      ubiKey: row.ubi_key,
      name: row.name,
      licenseType: row.license_type,
      licenseTypeRaw: row.license_type_raw,
      activities: row.activities as Activity[],
      address: {
        line1: row.address_line1,
        line2: row.address_line2,
        city: row.city,
        state: row.address_state,
        zip: row.zip,
      },
      isLab: row.is_lab,
      namedByCompanyId: row.named_by_company_id,
      active: row.active,
      missingSinceDatetime: row.missing_since_datetime?.toISOString() ?? null,
      transactionIdOriginal: row.transaction_id_original,
      contentHash: row.content_hash,
    })),
    vendorCompanies,
    decisions: [],
    ownUbiKey,
  };
}

const COMPANY_COLUMNS = {
  tenant_id: 'uuid',
  id: 'uuid',
  origin: 'text',
  source_name: 'text',
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
  readonly runId: string;
}

/** Carries a plan out, decides nothing. The transaction must hold the tenant's lock since before the snapshot was read. */
export async function applyPlan(tx: Tx, tenantId: string, plan: SyncPlan, origin: ChangeOrigin): Promise<void> {
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
  await recordChanges(tx, tenantId, plan, origin);
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
  company_id: 'uuid',
  license_id: 'uuid',
  before: 'jsonb',
  after: 'jsonb',
  actor: 'text',
  run_id: 'uuid',
} as const satisfies Columns;

async function recordChanges(tx: Tx, tenantId: string, plan: SyncPlan, { actor, runId }: ChangeOrigin): Promise<void> {
  const changes = [...plan.companies, ...plan.licenses].flatMap((step) => toChange(step) ?? []);
  if (changes.length === 0) return;
  const { last } = await tx
    .updateTable('tenants')
    .set((eb) => ({
      last_change_seq: eb('last_change_seq', '+', changes.length),
      revision: eb('revision', '+', 1),
    }))
    .returning('last_change_seq as last')
    .executeTakeFirstOrThrow();
  const first = last - changes.length + 1;
  const rows = changes.map(({ kind, companyId, licenseId, before, after }, index): Cell[] => [
    tenantId,
    first + index,
    kind,
    companyId,
    licenseId,
    before,
    after,
    actor,
    runId,
  ]);
  await insertRows(tx, 'changes', CHANGE_COLUMNS, rows);
}

/** From now on state, environment and strategy are in use. */
export async function noteFirstSync(tx: Tx): Promise<void> {
  await tx
    .updateTable('tenants')
    .set({ first_synced_datetime: sql`now()` })
    .where('first_synced_datetime', 'is', null)
    .execute();
}
