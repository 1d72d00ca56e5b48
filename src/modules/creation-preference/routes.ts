import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { CreationPreference as CreationPreferenceRow } from './repository.js';
import { CreationPreference, CreationPreferenceBody } from './schema.js';
import { getCreationPreference, putCreationPreference } from './service.js';

export function useCreationPreference(app: App, { db }: { readonly db: Db }): void {
  app.get(
    '/v1/tenants/:tenant_id/company-creation-preference',
    {
      schema: operation({
        id: 'getCompanyCreationPreference',
        tag: 'Set-up',
        summary: 'Step 1a: how vendors become companies',
        params: TenantParams,
        replies: { 200: { description: 'The choice.', schema: CreationPreference, headers: etagHeader } },
        faults: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const preference = await getCreationPreference(db, params.tenant_id);
      sendEtag(reply, preference.version);
      return toPreferenceReply(preference);
    },
  );

  app.put(
    '/v1/tenants/:tenant_id/company-creation-preference',
    {
      schema: operation({
        id: 'putCompanyCreationPreference',
        tag: 'Set-up',
        summary: 'Step 1a: choose how vendors become companies',
        description: 'Free to change before the first sync.',
        params: TenantParams,
        headers: putHeaders,
        body: CreationPreferenceBody,
        replies: {
          200: { description: 'Changed.', schema: CreationPreference, headers: etagHeader },
          201: { description: 'Chosen for the first time.', schema: CreationPreference, headers: etagHeader },
        },
        faults: ['not_found', 'setup_incomplete', 'preview_required', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { strategy: body.strategy, includeLabs: body.include_labs ?? false };
      const { preference, created } = await putCreationPreference(db, params.tenant_id, input, toPrecondition(request));
      sendEtag(reply, preference.version).code(created ? 201 : 200);
      return toPreferenceReply(preference);
    },
  );
}

const toPreferenceReply = ({ strategy, includeLabs, insertedAt, updatedAt }: CreationPreferenceRow) => ({
  strategy,
  include_labs: includeLabs,
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
