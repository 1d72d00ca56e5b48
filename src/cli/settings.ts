import type { ApiClient } from './api.js';
import { putSetting } from './put-setting.js';
import type { TenantSpec } from './tenant-spec.js';

export function saveTenantSetting(api: ApiClient, spec: TenantSpec): Promise<boolean> {
  const path = { tenant_id: spec.tenantId };
  const { name, state, environment } = spec;
  return putSetting({
    read: () => api.find((client) => client.GET('/v1/tenants/{tenant_id}', { params: { path } })),
    isUpToDate: (present) => present.name === name && present.state === state && present.environment === environment,
    write: (header) =>
      api.call((client) =>
        client.PUT('/v1/tenants/{tenant_id}', { params: { path, header }, body: { name, state, environment } }),
      ),
  });
}

export function saveUbiSetting(api: ApiClient, { tenantId, ubi }: TenantSpec): Promise<boolean> {
  const path = { tenant_id: tenantId };
  return putSetting({
    read: () => api.find((client) => client.GET('/v1/tenants/{tenant_id}/ubi', { params: { path } })),
    isUpToDate: (present) => present.ubi === ubi,
    write: (header) =>
      api.call((client) => client.PUT('/v1/tenants/{tenant_id}/ubi', { params: { path, header }, body: { ubi } })),
  });
}

export function savePreferenceSetting(
  api: ApiClient,
  { tenantId, strategy, includeLabs }: TenantSpec,
): Promise<boolean> {
  const path = { tenant_id: tenantId };
  // A PUT without include_labs would reset it to false.
  let labs = includeLabs ?? false;
  return putSetting({
    read: async () => {
      const present = await api.find((client) =>
        client.GET('/v1/tenants/{tenant_id}/company-creation-preference', { params: { path } }),
      );
      labs = includeLabs ?? present?.data.include_labs ?? false;
      return present;
    },
    isUpToDate: (present) => present.strategy === strategy && present.include_labs === labs,
    write: (header) =>
      api.call((client) =>
        client.PUT('/v1/tenants/{tenant_id}/company-creation-preference', {
          params: { path, header },
          body: { strategy, include_labs: labs },
        }),
      ),
  });
}
