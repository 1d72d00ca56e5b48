import type { Biotrack } from '../../biotrack/index.js';
import { type Db, type Tx, withOperator, withTenant } from '../../db/database.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import {
  deleteTenantRow,
  findTenant,
  insertTenant,
  lockFreeTenantRow,
  lockTenantRow,
  selectTenants,
  type Tenant,
  unverifyCredentials,
  updateTenant,
} from './repository.js';

/** A transaction of a tenant that exists: 404 otherwise. */
export const inTenant = <T>(db: Db, tenantId: string, work: (tx: Tx, tenant: Tenant) => Promise<T>): Promise<T> =>
  withTenant(db, tenantId, async (tx) => {
    const tenant = await findTenant(tx);
    if (tenant === undefined) throw notFound('tenant');
    return work(tx, tenant);
  });

/** The same, and alone: every change of a tenant's set-up and companies waits for the one before it. */
export const inLockedTenant = <T>(db: Db, tenantId: string, work: (tx: Tx, tenant: Tenant) => Promise<T>): Promise<T> =>
  withTenant(db, tenantId, async (tx) => {
    const tenant = await lockTenantRow(tx);
    if (tenant === undefined) throw notFound('tenant');
    return work(tx, tenant);
  });

/** The same, for what can as well be done later: undefined if the tenant is gone, or somebody changes it just now. */
export const inFreeTenant = <T>(db: Db, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T | undefined> =>
  withTenant(db, tenantId, async (tx) => ((await lockFreeTenantRow(tx)) === undefined ? undefined : work(tx)));

/** The tenant was deleted a moment ago, by somebody else. */
export const isTenantGone = (error: unknown): boolean => error instanceof ServiceError && error.code === 'not_found';

export interface TenantInput {
  readonly name: string;
  readonly state: string;
  readonly environment: Tenant['environment'];
}

export interface PutTenantResult {
  readonly tenant: Tenant;
  readonly created: boolean;
}

/** Creates the tenant, or changes it; state and environment are fixed once companies were made from them. */
export function putTenant(
  db: Db,
  biotrack: Pick<Biotrack, 'findState'>,
  tenantId: string,
  input: TenantInput,
  precondition: Precondition,
): Promise<PutTenantResult> {
  return withTenant(db, tenantId, async (tx) => {
    const present = await lockTenantRow(tx);
    checkPrecondition(precondition, present?.version);
    if (present === undefined) {
      checkState(biotrack, input);
      const tenant = await insertTenant(tx, { id: tenantId, ...input });
      if (tenant === undefined) throw new ServiceError('precondition_failed', 'Somebody else created it a moment ago.');
      return { tenant, created: true };
    }
    return { tenant: await applyTenant(tx, biotrack, present, input), created: false };
  });
}

/**
 * Changes a tenant. It must be locked.
 * @throws Fault `unknown_state`, `fixed_after_first_sync`
 */
export async function applyTenant(
  tx: Tx,
  biotrack: Pick<Biotrack, 'findState'>,
  present: Tenant,
  input: TenantInput,
): Promise<Tenant> {
  const moves = present.state !== input.state || present.environment !== input.environment;
  // One that stays where it is may be called something else, wherever that is.
  if (moves) checkState(biotrack, input);
  if (moves && present.firstSyncedAt !== null) {
    throw new ServiceError(
      'fixed_after_first_sync',
      'The companies come from this state and environment. Use another tenant.',
    );
  }
  if (moves) await unverifyCredentials(tx);
  return updateTenant(tx, present.id, input);
}

function checkState(biotrack: Pick<Biotrack, 'findState'>, { state, environment }: TenantInput): void {
  const known = biotrack.findState(state);
  if (known === undefined) {
    throw new ServiceError('unknown_state', 'GET /v1/states lists the states.', {
      errors: [{ pointer: '/state', detail: 'is not a state of this deployment' }],
    });
  }
  if (known.environments[environment] !== undefined) return;
  throw new ServiceError(
    'unknown_state',
    `${known.name} has no such environment here; GET /v1/states lists what it has.`,
    {
      errors: [{ pointer: '/environment', detail: 'is not configured for this state' }],
    },
  );
}

export const getTenant = (db: Db, tenantId: string): Promise<Tenant> =>
  inTenant(db, tenantId, async (_tx, tenant) => tenant);

export const listTenants = (db: Db, { size, after }: PageRequest): Promise<PageOf<Tenant>> =>
  withOperator(db, async (tx) => toPage(await selectTenants(tx, size, after), size));

const TENANTS_AT_ONCE = 500;

/** The ids of all tenants, read in pages. */
export async function* eachTenantId(db: Db): AsyncGenerator<string> {
  for (let after: string | undefined; ; ) {
    const page = await listTenants(db, { size: TENANTS_AT_ONCE, after });
    for (const { id } of page.items) yield id;
    if (page.nextAfter === undefined) return;
    after = page.nextAfter;
  }
}

/** Takes the tenant away with all that it has, its secrets first of all. */
export const deleteTenant = (db: Db, tenantId: string, precondition: Precondition): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    checkPrecondition(precondition, tenant.version);
    await deleteTenantRow(tx, tenantId);
  });
