import { randomUUID } from 'node:crypto';
import type { Api } from './api.js';
import { Failure } from './failure.js';
import type { components } from './generated/v1.js';
import type { TenantOrder } from './tenant-order.js';

type AvailableLicense = Pick<components['schemas']['AvailableLicense'], 'license_number' | 'state' | 'active'>;

/** The numbers that are still to be created: what is created is left as it is. */
export function toMissingLicenses(listed: readonly AvailableLicense[], wanted: TenantOrder['licenses']): string[] {
  if (wanted === 'all') {
    // A license that the state has deleted is created only by whoever asks for it by number.
    return listed.flatMap(({ license_number, state, active }) =>
      state === 'available' && active ? [license_number] : [],
    );
  }
  const created = new Set(listed.flatMap(({ license_number, state }) => (state === 'created' ? [license_number] : [])));
  // Whether a number that is not listed is good is for the service to say.
  return wanted.filter((number) => !created.has(number));
}

/** Creates the licenses; the first one starts the first sync. Returns how many the tenant has now. */
export async function createLicenses(
  api: Api,
  { tenantId, ubi, licenses }: TenantOrder,
  show: (done: number, total: number) => void,
): Promise<number> {
  const path = { tenant_id: tenantId };
  const { data } = await api.call((client) =>
    client.GET('/v1/tenants/{tenant_id}/available-licenses', { params: { path } }),
  );
  const missing = toMissingLicenses(data.data, licenses);
  let created = data.data.filter(({ state }) => state === 'created').length;
  if (missing.length + created === 0) {
    throw new Failure({
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
      if (!(error instanceof Failure) || error.code !== 'license_exists') throw error;
    }
  }
  return created;
}
