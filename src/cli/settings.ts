import type { ApiClient } from './api.js';
import { putSetting } from './put-setting.js';
import type { TenantOrder } from './tenant-order.js';

/** The tenant, its UBI and its preference: each is read first, and written only if it is not as ordered. */

export function saveTenantSetting(api: ApiClient, order: TenantOrder): Promise<boolean> {
  const path = { tenant_id: order.tenantId };
  const { name, state, environment } = order;
  return putSetting({
    read: () => api.find((client) => client.GET('/v1/tenants/{tenant_id}', { params: { path } })),
    isAsWanted: (present) => present.name === name && present.state === state && present.environment === environment,
    write: (header) =>
      api.call((client) =>
        client.PUT('/v1/tenants/{tenant_id}', { params: { path, header }, body: { name, state, environment } }),
      ),
  });
}

export function saveUbiSetting(api: ApiClient, { tenantId, ubi }: TenantOrder): Promise<boolean> {
  const path = { tenant_id: tenantId };
  return putSetting({
    read: () => api.find((client) => client.GET('/v1/tenants/{tenant_id}/ubi', { params: { path } })),
    isAsWanted: (present) => present.ubi === ubi,
    write: (header) =>
      api.call((client) => client.PUT('/v1/tenants/{tenant_id}/ubi', { params: { path, header }, body: { ubi } })),
  });
}

export function savePreferenceSetting(api: ApiClient, { tenantId, strategy, includeLabs }: TenantOrder): Promise<boolean> {
  const path = { tenant_id: tenantId };
  // A PUT without the word would turn labs off where somebody turned them on.
  let labs = includeLabs ?? false;
  return putSetting({
    read: async () => {
      const present = await api.find((client) =>
        client.GET('/v1/tenants/{tenant_id}/company-creation-preference', { params: { path } }),
      );
      labs = includeLabs ?? present?.data.include_labs ?? false;
      return present;
    },
    isAsWanted: (present) => present.strategy === strategy && present.include_labs === labs,
    write: (header) =>
      api.call((client) =>
        client.PUT('/v1/tenants/{tenant_id}/company-creation-preference', {
          params: { path, header },
          body: { strategy, include_labs: labs },
        }),
      ),
  });
}
