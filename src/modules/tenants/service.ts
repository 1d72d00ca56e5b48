import type { Biotrack } from '../../biotrack/index.js';
import { type Db, type TenantTxOptions, type Tx, withOperator, withTenant, writesOf } from '../../db/database.js';
import { toStorageError } from '../../db/sqlstate.js';
import { type PageOf, type PageRequest, toPage } from '../../domain/page.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { notFound, ServiceError } from '../../domain/service-error.js';
import { deleteKeysOfTenant } from '../idempotency/index.js';
import {
  countContents,
  deleteTenantRow,
  findTenant,
  insertTenant,
  lockTenantRow,
  selectTenants,
  type Tenant,
  updateTenant,
} from './repository.js';

type TenantWork<T> = (tx: Tx, tenant: Tenant) => Promise<T>;

/** @throws ServiceError `not_found` if the tenant does not exist */
export const inTenant = <T>(
  db: Db,
  tenantId: string,
  work: TenantWork<T>,
  options?: Pick<TenantTxOptions, 'isSnapshot'>,
): Promise<T> => withTenant(db, tenantId, async (tx) => work(tx, requireFound(await findTenant(tx))), options);

function requireFound(tenant: Tenant | undefined): Tenant {
  if (tenant === undefined) throw notFound('tenant');
  return tenant;
}

/** Who waits for the tenant's lock: a request for a second only, because it can be sent again. */
type LockedBy = 'request' | 'run';
const REQUEST_LOCK_TIMEOUT_MS = 1_000;

/**
 * Locks the tenant: changes of its setup and companies run one after another.
 * @throws ServiceError `sync_in_progress` if a request waits too long, as while a large plan is applied
 */
export async function inLockedTenant<T>(
  db: Db,
  tenantId: string,
  work: TenantWork<T>,
  lockedBy: LockedBy = 'request',
): Promise<T> {
  let isLocked = false;
  const lockAndWork = async (tx: Tx): Promise<T> => {
    const tenant = requireFound(await lockTenantRow(tx));
    isLocked = true;
    return work(tx, tenant);
  };
  if (lockedBy === 'run') return withTenant(db, tenantId, lockAndWork);
  try {
    return await withTenant(db, tenantId, lockAndWork, { lockTimeoutMs: REQUEST_LOCK_TIMEOUT_MS });
  } catch (error) {
    if (isLocked || toStorageError(error) !== 'lock_timeout') throw error;
    const detail =
      'A sync or another change of the companies is being applied. Nothing was changed. Retry in a few seconds.';
    throw new ServiceError('sync_in_progress', detail, { retryAfterSeconds: 5, cause: error });
  }
}

/** What is read consistently, computed without an open transaction, and written if it was not made from old rows. */
export interface PlannedWork<Loaded, Planned, Result> {
  load(tx: Tx, tenant: Tenant): Promise<Loaded>;
  plan(loaded: Loaded): Promise<Planned>;
  record(tx: Tx, planned: Planned, tenant: Tenant): Promise<Result>;
}

/** Then the plan is made while the tenant is locked. */
const MAX_UNLOCKED_PLANS = 3;

/** Plans, and records the plan if the tenant's inputs are still the same. Plans again if they are not. */
export async function planAndRecord<Loaded, Planned, Result>(
  db: Db,
  tenantId: string,
  { load, plan, record }: PlannedWork<Loaded, Planned, Result>,
  lockedBy?: LockedBy,
): Promise<Result> {
  const loadSnapshot = () =>
    inTenant(
      db,
      tenantId,
      async (tx, tenant) => ({ revision: tenant.inputsRevision, loaded: await load(tx, tenant) }),
      { isSnapshot: true },
    );
  for (let attempt = 1; attempt <= MAX_UNLOCKED_PLANS; attempt += 1) {
    const { revision, loaded } = await loadSnapshot();
    const planned = await plan(loaded);
    const recorded = await inLockedTenant(
      db,
      tenantId,
      async (tx, tenant) =>
        tenant.inputsRevision === revision ? { result: await record(tx, planned, tenant) } : undefined,
      lockedBy,
    );
    if (recorded !== undefined) return recorded.result;
  }
  return inLockedTenant(
    db,
    tenantId,
    async (tx, tenant) => record(tx, await plan((await loadSnapshot()).loaded), tenant),
    lockedBy,
  );
}

/** Whether the work failed because the tenant was deleted meanwhile. */
export const isTenantGone = (error: unknown): boolean => error instanceof ServiceError && error.code === 'not_found';

export interface TenantInput {
  readonly name: string;
  readonly state: string;
  readonly environment: Tenant['environment'];
}

/** Resets the status of credentials and UBI. See `credentials/service.ts`, which imports this module. */
export type ResetVerification = (tx: Tx, ubiKey?: string) => Promise<void>;

export interface TenantPorts {
  readonly biotrack: Pick<Biotrack, 'findState'>;
  readonly resetVerification: ResetVerification;
}

export interface PutTenantResult {
  readonly tenant: Tenant;
  readonly created: boolean;
}

export function putTenant(
  db: Db,
  ports: TenantPorts,
  tenantId: string,
  input: TenantInput,
  precondition: Precondition,
): Promise<PutTenantResult> {
  return withTenant(db, tenantId, async (tx) => {
    const present = await lockTenantRow(tx);
    checkPrecondition(precondition, present?.version);
    if (present === undefined) {
      checkState(ports.biotrack, input);
      const tenant = await insertTenant(tx, { id: tenantId, ...input });
      if (tenant === undefined)
        throw new ServiceError(
          'precondition_failed',
          'Another request just created this tenant. Read it, then send its ETag in If-Match.',
        );
      return { tenant, created: true };
    }
    return { tenant: await applyTenant(tx, ports, present, input), created: false };
  });
}

/**
 * Updates a tenant. Moving it to another state or environment makes its credentials and UBI unverified. It must be locked.
 * @throws ServiceError `unknown_state`, `fixed_after_first_sync`
 */
export async function applyTenant(
  tx: Tx,
  { biotrack, resetVerification }: TenantPorts,
  present: Tenant,
  input: TenantInput,
): Promise<Tenant> {
  const moves = present.state !== input.state || present.environment !== input.environment;
  // A tenant can be renamed even if its state is no longer supported.
  if (moves) checkState(biotrack, input);
  if (moves && present.firstSyncedAt !== null) {
    throw new ServiceError(
      'fixed_after_first_sync',
      'The companies of this tenant come from its current state and environment. Create another tenant instead.',
    );
  }
  if (moves) await resetVerification(tx);
  return updateTenant(tx, present.id, input);
}

function checkState(biotrack: Pick<Biotrack, 'findState'>, { state, environment }: TenantInput): void {
  const known = biotrack.findState(state);
  if (known === undefined) {
    throw new ServiceError('unknown_state', 'Choose a state from GET /v1/states.', {
      errors: [{ pointer: '/state', detail: 'is not supported by this deployment' }],
    });
  }
  if (known.environments[environment] !== undefined) return;
  throw new ServiceError('unknown_state', `Choose an environment that GET /v1/states lists for ${known.name}.`, {
    errors: [{ pointer: '/environment', detail: 'is not configured for this state' }],
  });
}

export const getTenant = (db: Db, tenantId: string): Promise<Tenant> =>
  inTenant(db, tenantId, async (_tx, tenant) => tenant);

export const listTenants = (db: Db, { size, after }: PageRequest): Promise<PageOf<Tenant>> =>
  withOperator(db, async (tx) => toPage(await selectTenants(tx, size, after), size));

const ID_PAGE_SIZE = 500;

/** Reads the ids in pages, each in its own transaction. */
export async function* iterateTenantIds(db: Db): AsyncGenerator<string> {
  for (let after: string | undefined; ; ) {
    const page = await listTenants(db, { size: ID_PAGE_SIZE, after });
    for (const { id } of page.items) yield id;
    if (page.nextAfter === undefined) return;
    after = page.nextAfter;
  }
}

/** Deletes all data of the tenant, including its secrets. Its audit stays, and says what was deleted. */
export const deleteTenant = (
  db: Db,
  deleteAllCompanies: (tx: Tx) => Promise<void>,
  tenantId: string,
  precondition: Precondition,
): Promise<void> =>
  inLockedTenant(db, tenantId, async (tx, tenant) => {
    checkPrecondition(precondition, tenant.version);
    const { companies, licenses } = await countContents(tx);
    const contents = `${tenant.state} ${tenant.environment}; ${companies} companies, ${licenses} licenses`;
    writesOf(tx).record('delete', 'tenants', `${tenantId} (${tenant.name}; ${contents})`);
    await deleteAllCompanies(tx);
    await deleteKeysOfTenant(tx, tenantId);
    await deleteTenantRow(tx, tenantId);
  });
