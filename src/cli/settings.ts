import type { Client } from '#client';
import { MAX_RACES } from './api-client.js';
import type { TenantSpec } from './tenant-spec.js';

/** Each function writes a setting unless it is up to date, and returns whether it was changed. */

export async function saveTenantSetting(client: Client, spec: TenantSpec): Promise<boolean> {
  const { name, state, environment } = spec;
  const { outcome } = await client.save('/v1/tenants/{tenant_id}', {
    params: { path: { tenant_id: spec.tenantId } },
    maxRaces: MAX_RACES,
    toBody: (present) => {
      const isUpToDate = present?.name === name && present.state === state && present.environment === environment;
      return isUpToDate ? undefined : { name, state, environment };
    },
  });
  return outcome !== 'unchanged';
}

export async function saveUbiSetting(client: Client, { tenantId, ubi }: TenantSpec): Promise<boolean> {
  const { outcome } = await client.save('/v1/tenants/{tenant_id}/ubi', {
    params: { path: { tenant_id: tenantId } },
    maxRaces: MAX_RACES,
    toBody: (present) => (present?.ubi === ubi ? undefined : { ubi }),
  });
  return outcome !== 'unchanged';
}

export async function savePreferenceSetting(
  client: Client,
  { tenantId, strategy, includeLabs }: TenantSpec,
): Promise<boolean> {
  const { outcome } = await client.save('/v1/tenants/{tenant_id}/company-creation-preference', {
    params: { path: { tenant_id: tenantId } },
    maxRaces: MAX_RACES,
    toBody: (present) => {
      // A PUT without include_labs would reset it to false.
      const labs = includeLabs ?? present?.include_labs ?? false;
      const isUpToDate = present?.strategy === strategy && present.include_labs === labs;
      return isUpToDate ? undefined : { strategy, include_labs: labs };
    },
  });
  return outcome !== 'unchanged';
}
