import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { toPreferenceReply } from '../creation-preference/index.js';
import type { LicensePorts } from '../licenses/index.js';
import { toSyncRunReply } from '../syncs/index.js';
import { type Advice as AdviceView, getAdvice } from './advice-service.js';
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
        tag: 'Set-up',
        summary: 'Step 1a: choose how vendors become companies',
        description:
          'Free to change before the first sync. Afterwards it carries out the preview with `preview_id`, at once and as a whole, or answers 409 if anything moved since. Switching back is the undo: ids and edits come back.',
        params: TenantParams,
        headers: putHeaders,
        body: CreationPreferenceBodySchema,
        replies: {
          200: { description: 'Changed.', schema: CreationPreferenceSchema, headers: etagHeader },
          201: { description: 'Chosen for the first time.', schema: CreationPreferenceSchema, headers: etagHeader },
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
      const { preference, created } = await choosePreference(
        db,
        ports,
        params.tenant_id,
        { strategy, includeLabs, previewId },
        toPrecondition(request),
        principalOf(request),
      );
      sendEtag(reply, preference.version).code(created ? 201 : 200);
      return toPreferenceReply(preference);
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/company-creation-preference/preview',
    {
      schema: operation({
        id: 'previewCompanyCreationPreference',
        tag: 'Set-up',
        summary: 'The exact effect of another choice',
        description:
          'Answers at once with a finished run of mode `preview`: its counts, and its items at `GET …/syncs/{id}/plan`, with the companies that LeafLink could not tell apart then (`ambiguous`). Its id is the `preview_id` with which the choice can be made. It is planned from the mirrored list as it stands; BioTrack is not asked.',
        params: TenantParams,
        body: PreviewBodySchema,
        replies: { 200: { description: 'The preview.', schema: SyncRunSchema } },
        errors: ['not_found', 'setup_incomplete', 'not_synced'],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const input = { strategy: body.strategy, includeLabs: body.include_labs };
      return toSyncRunReply(await previewSwitch(db, ports, params.tenant_id, input, principalOf(request)));
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/company-creation-preference/advice',
    {
      schema: operation({
        id: 'getCompanyCreationPreferenceAdvice',
        tag: 'Set-up',
        summary: 'What each choice would make of the state’s vendors',
        description:
          'How many vendors and licenses there are, how many vendors have several licenses, and under each strategy which companies LeafLink could not tell apart. Needs a login that works.',
        params: TenantParams,
        replies: { 200: { description: 'As the state lists them now.', schema: AdviceSchema } },
        errors: ['not_found', 'setup_incomplete', 'credential_unreadable', 'unknown_state', 'upstream_unavailable'],
      }),
    },
    async (request) => toAdviceReply(await getAdvice(db, ports, request.params.tenant_id, principalOf(request))),
  );
}

const toAdviceReply = (advice: AdviceView) => ({
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
