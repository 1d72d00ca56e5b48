import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api.js';
import { CliError } from './cli-error.js';
import type { components } from './generated/v1.js';
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
  api: ApiClient,
  { tenantId, ubi, licenses }: TenantSpec,
  show: (done: number, total: number) => void,
): Promise<number> {
  const path = { tenant_id: tenantId };
  const { data } = await api.call((client) =>
    client.GET('/v1/tenants/{tenant_id}/available-licenses', { params: { path } }),
  );
  const missing = toLicensesToCreate(data.data, licenses);
  const archived = toLicensesToRestore(data.data, licenses);
  let created = data.data.filter(
    ({ license_id, problem }) => license_id !== null && problem?.reason !== 'archived',
  ).length;
  if (missing.length + archived.length + created === 0) {
    throw new CliError({
      title: `No license to create for the UBI ${ubi}`,
      detail:
        data.list.problem?.detail ??
        'All of its licenses are archived. To restore a license, request it by its number.',
      code: data.list.problem?.reason ?? 'all_archived',
    });
  }
  for (const [index, license_number] of missing.entries()) {
    show(index, missing.length);
    // The same key for all retries of this request.
    const headers = { 'Idempotency-Key': randomUUID() };
    try {
      await api.call((client) =>
        client.POST('/v1/tenants/{tenant_id}/licenses', { params: { path }, headers, body: { license_number } }),
      );
      created += 1;
    } catch (error) {
      // Another caller created it, or it is listed with another spelling.
      if (!(error instanceof CliError) || error.code !== 'license_exists') throw error;
    }
  }
  for (const id of archived) created += await restoreLicense(api, tenantId, id);
  return created;
}

/** Restores an archived license. Returns 1, or 0 if another caller changed it meanwhile. */
async function restoreLicense(api: ApiClient, tenantId: string, id: string): Promise<number> {
  const path = { tenant_id: tenantId, id };
  const { etag } = await api.call((client) =>
    client.GET('/v1/tenants/{tenant_id}/licenses/{id}', { params: { path } }),
  );
  try {
    await api.call((client) =>
      client.PATCH('/v1/tenants/{tenant_id}/licenses/{id}', {
        params: { path, header: { 'if-match': etag } },
        body: { archived: false },
      }),
    );
    return 1;
  } catch (error) {
    if (error instanceof CliError && error.code === 'precondition_failed') return 0;
    throw error;
  }
}
