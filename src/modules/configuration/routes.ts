import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { operation } from '../../http/operation.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, ifMatchHeader, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Configuration as ConfigurationDocument } from './document.js';
import {
  ConfigurationBodySchema,
  ConfigurationQuerySchema,
  ConfigurationResultSchema,
  ConfigurationSchema,
} from './schema.js';
import {
  type ConfigurationPorts,
  getConfiguration,
  putConfiguration,
  type ConfigurationResult as Result,
} from './service.js';

const BODY_LIMIT_BYTES = 1024 * 1024;

export function registerConfigurationRoutes(
  app: App,
  { db, ...ports }: ConfigurationPorts & { readonly db: Db },
): void {
  app.get(
    '/v1/tenants/:tenant_id/configuration',
    {
      schema: operation({
        id: 'getConfiguration',
        tag: 'Set-up',
        summary: 'The whole set-up as one document, without secrets',
        params: TenantParams,
        replies: { 200: { description: 'The document.', schema: ConfigurationSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const { configuration, version } = await getConfiguration(db, params.tenant_id);
      sendEtag(reply, version);
      return toConfigurationReply(configuration);
    },
  );

  app.put(
    '/v1/tenants/:tenant_id/configuration',
    {
      schema: operation({
        id: 'putConfiguration',
        bodyLimitBytes: BODY_LIMIT_BYTES,
        tag: 'Set-up',
        summary: 'Make the set-up what a document says',
        description:
          'All of it or nothing, and each difference is told; sent twice it changes nothing. What the document does not name is left as it is, but for licenses: a created one that is not in the list is archived. Logins are named, not saved: a password is in no document.',
        params: TenantParams,
        querystring: ConfigurationQuerySchema,
        headers: ifMatchHeader,
        body: ConfigurationBodySchema,
        replies: {
          200: {
            description: 'Each difference, and the set-up as it is now.',
            schema: ConfigurationResultSchema,
            headers: etagHeader,
          },
        },
        errors: [
          'not_found',
          'setup_incomplete',
          'credential_exists',
          'credential_unreadable',
          'fixed_after_first_sync',
          'preview_required',
          'confirmation_required',
          'precondition_failed',
          'precondition_required',
          'unknown_state',
          'ubi_is_license_number',
          'license_not_available',
          'license_type_unknown',
          'invalid_dates',
          'credential_unknown',
          'upstream_unavailable',
        ],
      }),
    },
    async (request, reply) => {
      const { params, body, query } = request;
      const options = {
        isDryRun: query.dry_run ?? false,
        precondition: toPrecondition(request),
        principal: principalOf(request),
      };
      const result = await putConfiguration(db, ports, params.tenant_id, body, options);
      sendEtag(reply, result.version);
      return toResultReply(result);
    },
  );
}

const toConfigurationReply = (configuration: ConfigurationDocument) => ({
  ...configuration,
  credentials: [...configuration.credentials],
  licenses: [...configuration.licenses],
});

function toResultReply({ isDryRun, differences, configuration }: Result) {
  const applied = differences.filter((difference) => difference.applied).length;
  return {
    dry_run: isDryRun,
    applied,
    pending: differences.length - applied,
    differences: [...differences],
    configuration: toConfigurationReply(configuration),
  };
}
