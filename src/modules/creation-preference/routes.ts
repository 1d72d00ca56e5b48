import type { Db } from '../../db/database.js';
import { toEtag } from '../../http/etag.js';
import { operation } from '../../http/operation.js';
import { TenantParams } from '../../http/primitives.js';
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
        replies: { 200: { description: 'The preference.', schema: CreationPreferenceSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toPreferenceReply(await getCreationPreference(db, params.tenant_id)),
  );
}

export const toPreferenceReply = ({
  strategy,
  includeLabs,
  version,
  insertedAt,
  updatedAt,
}: CreationPreferenceRow) => ({
  strategy,
  include_labs: includeLabs,
  etag: toEtag(version),
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
