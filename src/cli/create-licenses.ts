import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api.js';
import { CliError } from './failure.js';
import type { components } from './generated/v1.js';
import type { TenantOrder } from './tenant-order.js';

type AvailableLicense = Pick<
  components['schemas']['AvailableLicense'],
  'license_number' | 'state' | 'active' | 'license_id' | 'problem'
>;

/** The numbers that are still to be created: what is created is left as it is, whatever has become of it since. */
export function toMissingLicenses(listed: readonly AvailableLicense[], wanted: TenantOrder['licenses']): string[] {
  if (wanted === 'all') {
    // A license that the state has deleted is created only by whoever asks for it by number.
    return listed.flatMap(({ license_number, state, active }) =>
      state === 'available' && active ? [license_number] : [],
    );
  }
  const created = new Set(
    listed.flatMap(({ license_number, state }) => (state === 'available' ? [] : [license_number])),
  );
  // Whether a number that is not listed is good is for the service to say.
  return wanted.filter((number) => !created.has(number));
}

/** Ids of archived licenses to bring back: only those that are asked for by number. */
export const toArchivedLicenses = (listed: readonly AvailableLicense[], wanted: TenantOrder['licenses']): string[] =>
  listed.flatMap(({ license_number, license_id, problem }) =>
    problem?.reason === 'archived' && license_id !== null && wanted !== 'all' && wanted.includes(license_number)
      ? [license_id]
      : [],
  );

/** Creates the licenses; the first one starts the first sync. Returns how many the tenant has now. */
export async function createMissingLicenses(
  api: ApiClient,
  { tenantId, ubi, licenses }: TenantOrder,
  show: (done: number, total: number) => void,
): Promise<number> {
  const path = { tenant_id: tenantId };
  const { data } = await api.call((client) =>
    client.GET('/v1/tenants/{tenant_id}/available-licenses', { params: { path } }),
  );
  const missing = toMissingLicenses(data.data, licenses);
  const archived = toArchivedLicenses(data.data, licenses);
  let created = data.data.filter(
    ({ state, problem }) => state !== 'available' && problem?.reason !== 'archived',
  ).length;
  if (missing.length + archived.length + created === 0) {
    throw new CliError({
      title: 'There is no license to create',
      detail: `The state lists none under the UBI ${ubi}.`,
      code: 'no_license',
    });
  }
  for (const [index, license_number] of missing.entries()) {
    show(index, missing.length);
    // One key for all repetitions of this one request.
    const headers = { 'Idempotency-Key': randomUUID() };
    try {
      await api.call((client) =>
        client.POST('/v1/tenants/{tenant_id}/licenses', { params: { path }, headers, body: { license_number } }),
      );
      created += 1;
    } catch (error) {
      // Somebody else was faster, or it is listed in another spelling.
      if (!(error instanceof CliError) || error.code !== 'license_exists') throw error;
    }
  }
  for (const id of archived) created += await restoreLicense(api, tenantId, id);
  return created;
}

/** Brings an archived license back; returns 1, or 0 if somebody was faster. */
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
