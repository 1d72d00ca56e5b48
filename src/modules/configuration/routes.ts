import type { Static } from 'typebox';
import type { Db } from '../../db/database.js';
import { fromSnakeCaseFields, toFieldPairs, toSnakeCase, toSnakeCaseFields } from '../../domain/snake-case.js';
import { principalOf } from '../../http/auth.js';
import { toEtag } from '../../http/etag.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { ifMatchHeader, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type {
  DocumentPath,
  DocumentValue,
  WantedConfiguration,
  WantedCredential,
  WantedLicense,
} from './apply-configuration.js';
import {
  type Configuration as ConfigurationDocument,
  CREDENTIAL_ENTRY_FIELDS,
  LICENSE_ENTRY_FIELDS,
} from './document.js';
import { ConfigurationQuerySchema, ConfigurationResultSchema, ConfigurationSchema } from './schema.js';
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
        tag: 'Setup',
        summary: 'Get the configuration',
        description: 'Returns the whole setup as one document, without secrets. PUT accepts the document as it is.',
        params: TenantParams,
        replies: { 200: { description: 'The configuration.', schema: ConfigurationSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => {
      const { configuration, version } = await getConfiguration(db, params.tenant_id);
      return { ...toConfigurationReply(configuration), etag: toEtag(version) };
    },
  );

  app.put(
    '/v1/tenants/:tenant_id/configuration',
    {
      schema: operation({
        id: 'putConfiguration',
        bodyLimitBytes: BODY_LIMIT_BYTES,
        tag: 'Setup',
        summary: 'Apply a configuration',
        description:
          'Applies the document in one transaction and returns each difference; on an error nothing changes. Sending the same document again changes nothing. Omitted fields stay unchanged. If `licenses` is present, licenses of the tenant that are missing from it are archived. Documents contain no passwords: credentials are created with `POST …/credentials`.',
        params: TenantParams,
        querystring: ConfigurationQuerySchema,
        headers: ifMatchHeader,
        body: ConfigurationSchema,
        replies: {
          200: {
            description: 'Each difference, and the resulting configuration.',
            schema: ConfigurationResultSchema,
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
          'list_loading',
          'upstream_unavailable',
        ],
      }),
    },
    async (request) => {
      const { params, body, query } = request;
      const options = {
        isDryRun: query.dry_run ?? false,
        precondition: toPrecondition(request),
        principal: principalOf(request),
      };
      return toResultReply(
        await putConfiguration(db, ports, params.tenant_id, { ...toWanted(body), confirm: query.confirm }, options),
      );
    },
  );
}

const CREDENTIAL_FIELDS = toFieldPairs(CREDENTIAL_ENTRY_FIELDS);
const LICENSE_FIELDS = toFieldPairs(LICENSE_ENTRY_FIELDS);

const toWanted = ({
  company_creation_preference: preference,
  credentials,
  licenses,
  etag: _ignored,
  ...body
}: Static<typeof ConfigurationSchema>): WantedConfiguration => ({
  ...body,
  companyCreationPreference: preference && { strategy: preference.strategy, includeLabs: preference.include_labs },
  credentials: credentials?.map((entry) => fromSnakeCaseFields<WantedCredential>(entry, CREDENTIAL_FIELDS)),
  licenses: licenses?.map(({ issue_datetime, expiry_datetime, ...license }) =>
    fromSnakeCaseFields<WantedLicense>(
      { ...license, issue_datetime: toDate(issue_datetime), expiry_datetime: toDate(expiry_datetime) },
      LICENSE_FIELDS,
    ),
  ),
});

const toDate = (text: string | null | undefined) => (typeof text === 'string' ? new Date(text) : text);

const toConfigurationReply = ({
  companyCreationPreference: preference,
  credentials,
  licenses,
  ...configuration
}: ConfigurationDocument) => ({
  ...configuration,
  company_creation_preference:
    preference === null ? null : { strategy: preference.strategy, include_labs: preference.includeLabs },
  credentials: credentials.map((credential) => toSnakeCaseFields(credential, CREDENTIAL_FIELDS)),
  licenses: licenses.map((license) => toSnakeCaseFields(license, LICENSE_FIELDS)),
});

function toResultReply({ isDryRun, differences, configuration, version }: Result) {
  const applied = differences.filter(({ isApplied }) => isApplied).length;
  return {
    dry_run: isDryRun,
    applied,
    pending: differences.length - applied,
    differences: differences.map(({ path, action, before, after, isApplied, message }) => ({
      path: toPointer(path),
      action,
      before: toValueReply(before),
      after: toValueReply(after),
      applied: isApplied,
      message,
    })),
    configuration: toConfigurationReply(configuration),
    etag: toEtag(version),
  };
}

function toPointer({ section, key, field }: DocumentPath): string {
  const parts = [toSnakeCase(section), key && toPointerPart(key), field && toSnakeCase(field)];
  return parts.map((part) => (part === undefined ? '' : `/${part}`)).join('');
}

const toPointerPart = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function toValueReply(value: DocumentValue): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null) return value;
  return 'username' in value ? toSnakeCaseFields(value, CREDENTIAL_FIELDS) : toSnakeCaseFields(value, LICENSE_FIELDS);
}
