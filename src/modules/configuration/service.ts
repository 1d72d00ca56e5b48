import type { Db } from '../../db/database.js';
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
  type ConfigurationDifference,
  type ListStatus,
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
  readonly differences: readonly ConfigurationDifference[];
  /** The configuration after the changes; in a dry run, as it would be. */
  readonly configuration: Configuration;
  /** The version of the stored configuration, which a dry run does not change. */
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

/** Applies a document in one transaction, and returns each difference. */
export async function putConfiguration(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  wanted: WantedConfiguration,
  { isDryRun, precondition, principal }: PutOptions,
): Promise<ConfigurationResult> {
  rejectDuplicates(wanted);
  const list = await prepareList(db, ports, tenantId, { wanted, precondition, principal });
  try {
    return await inLockedTenant(db, tenantId, async (tx, tenant) => {
      const before = toVersion(await loadConfiguration(tx, tenant));
      checkPrecondition(precondition, before);
      const differences = await applyConfiguration(tx, ports, tenant, wanted, { principal, list });
      const configuration = await loadConfiguration(tx, { ...tenant, ...wanted.tenant });
      const version = toVersion(configuration);
      if (isDryRun) throw new DryRunEnd({ isDryRun, differences, configuration, version: before });
      return { isDryRun, differences, configuration, version };
    });
  } catch (error) {
    if (error instanceof DryRunEnd) return error.result;
    throw error;
  }
}

/** Rolls back a dry run, which executes the same statements as a real run and so returns the same differences. */
class DryRunEnd extends Error {
  readonly result: ConfigurationResult;

  constructor(result: ConfigurationResult) {
    super('a dry run is rolled back');
    this.result = result;
  }
}

/** Refreshes the state's list if the document creates licenses and a login works. */
async function prepareList(
  db: Db,
  ports: LicensePorts,
  tenantId: string,
  {
    wanted,
    precondition,
    principal,
  }: { readonly wanted: WantedConfiguration; readonly precondition: Precondition; readonly principal: Principal },
): Promise<ListStatus> {
  const list = await inTenant<ListStatus>(db, tenantId, async (tx, tenant) => {
    checkPrecondition(precondition, toVersion(await loadConfiguration(tx, tenant)));
    const created = new Set((await loadLicenseViews(tx, tenant)).map(({ license }) => license.licenseKey));
    const isNew = (wanted.licenses ?? []).some(({ licenseNumber }) => !created.has(toLicenseKey(licenseNumber)));
    if (!isNew) return 'outdated';
    const login = await findLogin(tx, ports, tenant, toUserId(principal));
    const ubi = await findUbi(tx);
    if (login === undefined || ubi === undefined) return 'no_login';
    // The login is verified for the stored UBI, not for another one.
    return isMoved(tenant, wanted) || toUbiKey(wanted.ubi ?? ubi.ubi) !== ubi.ubiKey ? 'outdated' : 'fresh';
  });
  if (list === 'fresh') await ensureDirectory(db, ports, tenantId, principal);
  return list;
}

const isMoved = ({ state, environment }: Tenant, { tenant }: WantedConfiguration): boolean =>
  tenant !== undefined && (tenant.state !== state || tenant.environment !== environment);

function rejectDuplicates({ credentials = [], licenses = [] }: WantedConfiguration): void {
  const rows = [
    ...credentials.map(({ username }, index) => ({
      key: `/credentials ${username}`,
      pointer: `/credentials/${index}/username`,
    })),
    ...licenses.map(({ licenseNumber }, index) => ({
      key: `/licenses ${toLicenseKey(licenseNumber)}`,
      pointer: `/licenses/${index}/license_number`,
    })),
  ];
  const seen = new Set<string>();
  for (const { key, pointer } of rows) {
    if (seen.has(key)) {
      const errors = [{ pointer, detail: 'repeats an earlier entry' }];
      throw new ServiceError('invalid_request', `${pointer} repeats an earlier entry.`, { errors });
    }
    seen.add(key);
  }
}
