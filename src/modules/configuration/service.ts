import type { Db, Tx } from '../../db/database.js';
import { toLicenseKey, toUbiKey } from '../../domain/key.js';
import { checkPrecondition, type Precondition } from '../../domain/precondition.js';
import { type Principal, toUserId } from '../../domain/principal.js';
import { ServiceError } from '../../domain/service-error.js';
import { findLogin } from '../credentials/index.js';
import { ensureDirectory, type LicensePorts, loadLicenseViews } from '../licenses/index.js';
import { inLockedTenant, inTenant, type Tenant } from '../tenants/index.js';
import { findUbi } from '../ubi/index.js';
import {
  applyConfiguration,
  type Difference,
  type ListAtHand,
  type WantedConfiguration,
} from './apply-configuration.js';
import { type Configuration, loadConfiguration, toVersion } from './document.js';

export type ConfigurationPorts = LicensePorts;

export interface VersionedConfiguration {
  readonly configuration: Configuration;
  readonly version: number;
}

export interface ConfigurationResult {
  readonly isDryRun: boolean;
  readonly differences: readonly Difference[];
  /** As it is afterwards; of a dry run, as it would be. */
  readonly configuration: Configuration;
  /** Of what is there now. */
  readonly version: number;
}

export const getConfiguration = (db: Db, tenantId: string): Promise<VersionedConfiguration> =>
  inTenant(db, tenantId, async (tx, tenant) => {
    const configuration = await loadConfiguration(tx, tenant);
    return { configuration, version: toVersion(configuration) };
  });

export interface PutOptions {
  readonly isDryRun: boolean;
  readonly precondition: Precondition;
  readonly principal: Principal;
}

/** Makes a tenant what a document says, all of it or nothing, and tells each difference. */
export async function putConfiguration(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  wanted: WantedConfiguration,
  { isDryRun, precondition, principal }: PutOptions,
): Promise<ConfigurationResult> {
  refuseTwice(wanted);
  const list = await prepareList(db, ports, tenantId, wanted, precondition, principal);
  try {
    return await inLockedTenant(db, tenantId, async (tx, tenant) => {
      const before = toVersion(await loadConfiguration(tx, tenant));
      checkPrecondition(precondition, before);
      const differences = await applyConfiguration(tx, ports, tenant, wanted, { principal, list });
      const { configuration, version } = await readBack(tx, tenant, wanted);
      if (isDryRun) throw new DryRunEnd({ isDryRun, differences, configuration, version: before });
      return { isDryRun, differences, configuration, version };
    });
  } catch (error) {
    if (error instanceof DryRunEnd) return error.result;
    throw error;
  }
}

/** Ends a dry run, which is the real one up to its commit: so it tells exactly what the real one would do. */
class DryRunEnd extends Error {
  readonly result: ConfigurationResult;

  constructor(result: ConfigurationResult) {
    super('nothing is kept of a dry run');
    this.result = result;
  }
}

async function readBack(tx: Tx, tenant: Tenant, wanted: WantedConfiguration): Promise<VersionedConfiguration> {
  const configuration = await loadConfiguration(tx, { ...tenant, ...wanted.tenant });
  return { configuration, version: toVersion(configuration) };
}

/** Sees to the state's list where licenses are to be created, and a login can be had for it. */
async function prepareList(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  wanted: WantedConfiguration,
  precondition: Precondition,
  principal: Principal,
): Promise<ListAtHand> {
  const list = await inTenant<ListAtHand>(db, tenantId, async (tx, tenant) => {
    checkPrecondition(precondition, toVersion(await loadConfiguration(tx, tenant)));
    const created = new Set((await loadLicenseViews(tx, tenant)).map(({ license }) => license.license_key));
    const isNew = (wanted.licenses ?? []).some(({ license_number }) => !created.has(toLicenseKey(license_number)));
    if (!isNew) return 'later';
    const login = await findLogin(tx, ports, tenant, toUserId(principal));
    const ubi = await findUbi(tx);
    if (login === undefined || ubi === undefined) return 'no_login';
    // What was read with one UBI shows nothing of another.
    return isMoved(tenant, wanted) || toUbiKey(wanted.ubi ?? ubi.ubi) !== ubi.ubiKey ? 'later' : 'read';
  });
  if (list === 'read') await ensureDirectory(db, ports, tenantId, principal);
  return list;
}

const isMoved = ({ state, environment }: Tenant, { tenant }: WantedConfiguration): boolean =>
  tenant !== undefined && (tenant.state !== state || tenant.environment !== environment);

/** A row that is there twice says two things of one. */
function refuseTwice({ credentials = [], licenses = [] }: WantedConfiguration): void {
  const rows = [
    ...credentials.map(({ username }, index) => ({
      key: `/credentials ${username}`,
      pointer: `/credentials/${index}/username`,
    })),
    ...licenses.map(({ license_number }, index) => ({
      key: `/licenses ${toLicenseKey(license_number)}`,
      pointer: `/licenses/${index}/license_number`,
    })),
  ];
  const seen = new Set<string>();
  for (const { key, pointer } of rows) {
    if (seen.has(key)) {
      const errors = [{ pointer, detail: 'is there twice' }];
      throw new ServiceError('invalid_request', `${pointer} is there twice.`, { errors });
    }
    seen.add(key);
  }
}
