import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { toPreferenceReply } from '../creation-preference/index.js';
import type { LicensePorts } from '../licenses/index.js';
import { toSyncRunReply } from '../syncs/index.js';
import { type Advice, getAdvice } from './advice-service.js';
import { toNamesakesReply } from './namesakes.js';
import {
  AdviceSchema,
  CreationPreferenceBodySchema,
  CreationPreferenceSchema,
  PreviewBodySchema,
  SyncRunSchema,
} from './schema.js';
import { choosePreference, previewSwitch, type SwitchPorts } from './service.js';

export interface SwitchesDeps extends LicensePorts, SwitchPorts {
  readonly db: Db;
}

export function registerSwitchesRoutes(app: App, { db, ...ports }: SwitchesDeps): void {
  app.put(
    '/v1/tenants/:tenant_id/company-creation-preference',
    {
      schema: operation({
        id: 'putCompanyCreationPreference',
        tag: 'Setup',
        summary: 'Set the company creation preference',
        description:
          "Defines how vendors become companies. Before the first sync, the preference can be changed freely. Afterwards, changes that move licenses or archive companies require `preview_id`: the request applies that preview in one transaction, or returns 409 if the state's list, the companies or the setup changed since the preview. To undo a switch, switch back: company ids and edits are restored.",
        params: TenantParams,
        headers: putHeaders,
        body: CreationPreferenceBodySchema,
        replies: {
          200: { description: 'The updated preference.', schema: CreationPreferenceSchema },
          201: { description: 'The created preference.', schema: CreationPreferenceSchema },
        },
        errors: [
          'not_found',
          'setup_incomplete',
          'preview_required',
          'preview_stale',
          'preview_unknown',
          'precondition_failed',
          'precondition_required',
        ],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const { strategy, include_labs: includeLabs, preview_id: previewId } = body;
      const { preference, created } = await choosePreference(db, ports, params.tenant_id, {
        strategy,
        includeLabs,
        previewId,
        precondition: toPrecondition(request),
        principal: principalOf(request),
      });
      reply.code(created ? 201 : 200);
      return toPreferenceReply(preference);
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/company-creation-preference/preview',
    {
      schema: operation({
        id: 'previewCompanyCreationPreference',
        tag: 'Setup',
        summary: 'Preview a strategy switch',
        description:
          'Returns a finished run with the mode `preview`, which contains the exact effect of another preference. List its items with `GET …/syncs/{id}/plan`, including companies that would share a name (`ambiguous`). To apply the switch, pass the id of the run as `preview_id` when you set the preference. Uses the mirrored list and sends no request to BioTrack.',
        params: TenantParams,
        body: PreviewBodySchema,
        replies: { 200: { description: 'The preview.', schema: SyncRunSchema } },
        errors: ['not_found', 'setup_incomplete', 'not_synced'],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const input = { strategy: body.strategy, includeLabs: body.include_labs };
      const principal = principalOf(request);
      return toSyncRunReply(await previewSwitch(db, ports, params.tenant_id, input, principal), principal);
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/company-creation-preference/advice',
    {
      schema: operation({
        id: 'getCompanyCreationPreferenceAdvice',
        tag: 'Setup',
        summary: 'Compare the strategies',
        description:
          "Returns the numbers of vendors and licenses and, for each strategy, which companies would share a name. Reads the state's list from BioTrack if the mirrored list is outdated, which requires a usable credential.",
        params: TenantParams,
        replies: { 200: { description: 'The comparison.', schema: AdviceSchema } },
        errors: [
          'not_found',
          'setup_incomplete',
          'credential_unreadable',
          'unknown_state',
          'list_loading',
          'upstream_unavailable',
        ],
      }),
    },
    async (request) => toAdviceReply(await getAdvice(db, ports, request.params.tenant_id, principalOf(request))),
  );
}

const toAdviceReply = (advice: Advice) => ({
  vendors: advice.vendors,
  licenses: advice.licenses,
  licenses_without_vendor: advice.licensesWithoutVendor,
  vendors_with_several_licenses: advice.vendorsWithSeveralLicenses,
  most_licenses_of_a_vendor: advice.mostLicensesOfAVendor,
  include_labs: advice.includeLabs,
  strategies: advice.strategies.map(({ strategy, companies, withSeveralLicenses, sharingAName, namesakes }) => ({
    strategy,
    companies,
    companies_with_several_licenses: withSeveralLicenses,
    companies_sharing_a_name: sharingAName,
    namesakes: namesakes.map(toNamesakesReply),
  })),
  directory_version: advice.directoryVersion,
});
