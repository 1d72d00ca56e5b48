import { type Client, type components, isProblem } from '#client';
import { CliError } from './cli-error.js';
import type { TenantSpec } from './tenant-spec.js';

type AvailableLicense = Pick<
  components['schemas']['AvailableLicense'],
  'license_number' | 'state' | 'license_id' | 'problem'
>;

/** Returns the license numbers to create. Licenses that were created before are not changed. */
export function toLicensesToCreate(listed: readonly AvailableLicense[], wanted: TenantSpec['licenses']): string[] {
  if (wanted === 'all') {
    return listed.flatMap(({ license_number, state }) => (state === 'available' ? [license_number] : []));
  }
  const created = new Set(
    listed.flatMap(({ license_number, license_id }) => (license_id === null ? [] : [license_number])),
  );
  // Includes numbers that are not available: the service reports why they cannot be created.
  return wanted.filter((number) => !created.has(number));
}

/** Returns the IDs of archived licenses to restore: only those requested by number. */
export const toLicensesToRestore = (listed: readonly AvailableLicense[], wanted: TenantSpec['licenses']): string[] =>
  listed.flatMap(({ license_number, license_id, problem }) =>
    problem?.reason === 'archived' && license_id !== null && wanted !== 'all' && wanted.includes(license_number)
      ? [license_id]
      : [],
  );

/** Creates the missing licenses; the first one starts the first sync. Returns how many licenses the tenant has. */
export async function createMissingLicenses(
  client: Client,
  { tenantId, ubi, licenses }: TenantSpec,
  show: (done: number, total: number) => void,
): Promise<number> {
  const path = { tenant_id: tenantId };
  const { data } = await client.GET('/v1/tenants/{tenant_id}/available-licenses', { params: { path } });
  const missing = toLicensesToCreate(data.data, licenses);
  const archived = toLicensesToRestore(data.data, licenses);
  let created = data.data.filter(
    ({ license_id, problem }) => license_id !== null && problem?.reason !== 'archived',
  ).length;
  if (missing.length + archived.length + created === 0) {
    throw new CliError({
      title: `No license to create for the UBI ${ubi}`,
      detail:
        data.list.problem?.message.text ??
        'All of its licenses are archived. To restore a license, request it by its number.',
      code: data.list.problem?.reason ?? 'all_archived',
    });
  }
  for (const [index, license_number] of missing.entries()) {
    show(index, missing.length);
    try {
      await client.POST('/v1/tenants/{tenant_id}/licenses', { params: { path }, body: { license_number } });
      created += 1;
    } catch (error) {
      // Another caller created it, or it is listed with another spelling.
      if (!isProblem(error, 'license_exists')) throw error;
    }
  }
  for (const id of archived) created += await restoreLicense(client, tenantId, id);
  return created;
}

/** Restores an archived license. Returns 1, or 0 if another caller changed it meanwhile. */
async function restoreLicense(client: Client, tenantId: string, id: string): Promise<number> {
  const path = { tenant_id: tenantId, id };
  const { data } = await client.GET('/v1/tenants/{tenant_id}/licenses/{id}', { params: { path } });
  try {
    await client.PATCH('/v1/tenants/{tenant_id}/licenses/{id}', {
      params: { path },
      etag: data.etag,
      body: { archived: false },
    });
    return 1;
  } catch (error) {
    if (isProblem(error, 'precondition_failed')) return 0;
    throw error;
  }
}
