import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { sendEtag } from '../../http/preconditions.js';
import { etagHeader, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { CreationPreference as CreationPreferenceRow } from './repository.js';
import { CreationPreferenceSchema } from './schema.js';
import { getCreationPreference } from './service.js';

export function registerCreationPreferenceRoutes(app: App, { db }: { readonly db: Db }): void {
  app.get(
    '/v1/tenants/:tenant_id/company-creation-preference',
    {
      schema: operation({
        id: 'getCompanyCreationPreference',
        tag: 'Setup',
        summary: 'Get the company creation preference',
        params: TenantParams,
        replies: { 200: { description: 'The preference.', schema: CreationPreferenceSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const preference = await getCreationPreference(db, params.tenant_id);
      sendEtag(reply, preference.version);
      return toPreferenceReply(preference);
    },
  );
}

export const toPreferenceReply = ({ strategy, includeLabs, insertedAt, updatedAt }: CreationPreferenceRow) => ({
  strategy,
  include_labs: includeLabs,
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
