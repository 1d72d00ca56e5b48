import type { Db } from '../../db/database.js';
import { Secret } from '../../domain/secret.js';
import { principalOf } from '../../http/auth.js';
import { toEtag } from '../../http/etag.js';
import { type ListRoutes, PageQuerySchema } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { ifMatchHeader, locationHeader, TenantParams, toItemParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { type Coverage, listCoverage } from './coverage.js';
import { isRemembered, type LoginResult, toLoginResultMessage, toStatusMessage } from './login-result.js';
import {
  CredentialBodySchema,
  CredentialCoveragePageSchema,
  CredentialPageSchema,
  CredentialPatchSchema,
  CredentialSchema,
  VerificationBodySchema,
  VerificationSchema,
} from './schema.js';
import {
  type CredentialPorts,
  type CredentialView,
  createCredential,
  deleteCredential,
  getCredential,
  listCredentials,
  updateCredential,
} from './service.js';
import { verifyCredential } from './verify-service.js';

export interface CredentialsDeps extends CredentialPorts {
  readonly db: Db;
  readonly lists: ListRoutes;
}

const LOGIN_ERRORS = [
  'unknown_state',
  'credentials_rejected',
  'login_refused',
  'ubi_rejected',
  'privilege_missing',
  'logins_held',
  'upstream_unavailable',
  'license_number_not_used',
] as const;

export function registerCredentialsRoutes(app: App, { db, lists, ...ports }: CredentialsDeps): void {
  app.post(
    '/v1/tenants/:tenant_id/credentials',
    {
      schema: operation({
        id: 'createCredential',
        tag: 'Credentials',
        summary: 'Create a credential',
        description:
          'Setup step 2: saves a BioTrack login. Requires a saved UBI. By default, the service logs in to BioTrack first and saves nothing if BioTrack rejects the login; see `verify`. Operators and admins create company credentials; users create their own.',
        params: TenantParams,
        body: CredentialBodySchema,
        replies: {
          201: { description: 'Created.', schema: CredentialSchema, headers: locationHeader },
        },
        errors: ['not_found', 'setup_incomplete', 'credential_exists', ...LOGIN_ERRORS],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const { license_number: licenseNumber = null, ...rest } = body;
      const input = { ...rest, licenseNumber, password: new Secret(body.password), verify: body.verify ?? 'required' };
      const view = await createCredential(db, ports, params.tenant_id, input, principalOf(request));
      reply.code(201).header('location', `/v1/tenants/${params.tenant_id}/credentials/${view.credential.id}`);
      return toCredentialReply(view);
    },
  );

  lists.register(app, {
    path: '/v1/tenants/:tenant_id/credentials',
    id: 'listCredentials',
    tag: 'Credentials',
    summary: 'List credentials',
    description:
      "Passwords are never returned. Users see the company's credentials and their own; admins and operators see all credentials.",
    params: TenantParams,
    querystring: PageQuerySchema,
    schema: CredentialPageSchema,
    pageDescription: 'A page of credentials, oldest first.',
    list: ({ params, page, principal }) => listCredentials(db, params.tenant_id, page, principal),
    toReply: toCredentialReply,
  });

  app.get(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'getCredential',
        tag: 'Credentials',
        summary: 'Get a credential',
        description:
          'The password is never returned. Only the owner can get a user credential: admins and operators, who see it in the list, get 403.',
        params: toItemParams('credential'),
        replies: { 200: { description: 'The credential.', schema: CredentialSchema } },
        errors: ['not_found'],
      }),
    },
    async (request) => {
      const { params } = request;
      return toCredentialReply(await getCredential(db, params.tenant_id, params.id, principalOf(request)));
    },
  );

  app.patch(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'updateCredential',
        tag: 'Credentials',
        summary: 'Update a credential',
        description:
          'A new username, password or license number is verified with BioTrack before it replaces the old one; see `verify`. If BioTrack rejects it, nothing changes.',
        params: toItemParams('credential'),
        headers: ifMatchHeader,
        body: CredentialPatchSchema,
        replies: { 200: { description: 'Updated.', schema: CredentialSchema } },
        errors: [
          'not_found',
          'setup_incomplete',
          'credential_exists',
          'credential_unreadable',
          'precondition_failed',
          'precondition_required',
          ...LOGIN_ERRORS,
        ],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const changes = {
        ...body,
        licenseNumber: body.license_number,
        password: body.password === undefined ? undefined : new Secret(body.password),
        verify: body.verify ?? 'required',
      };
      return toCredentialReply(
        await updateCredential(db, ports, {
          tenantId: params.tenant_id,
          id: params.id,
          changes,
          precondition: toPrecondition(request),
          principal: principalOf(request),
        }),
      );
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'deleteCredential',
        tag: 'Credentials',
        summary: 'Delete a credential',
        description:
          'Deletes the stored password too. Returns 409 `in_use` while a license, including an archived one, uses the credential.',
        params: toItemParams('credential'),
        headers: ifMatchHeader,
        replies: { 204: { description: 'Deleted.' } },
        errors: ['not_found', 'in_use', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params } = request;
      await deleteCredential(db, params.tenant_id, params.id, toPrecondition(request), principalOf(request));
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/tenants/:tenant_id/credentials/:id/verify',
    {
      schema: operation({
        id: 'verifyCredential',
        tag: 'Credentials',
        summary: 'Verify a credential',
        description:
          'Logs in to BioTrack now and saves the result as the status of the credential. Returns 200 even if BioTrack rejects the login; see `result`. The result `unavailable` (no usable response from BioTrack) does not change the status. A credential that is already `rejected` or `refused` is not sent to BioTrack again, because that could lock the account: the remembered result is returned, with `remembered` true. To try it again after fixing the login in BioTrack, a user sends `"force": true`. Returns 429 `logins_held` if BioTrack rejected several logins of the same BioTrack user. The body is optional.',
        params: toItemParams('credential'),
        body: VerificationBodySchema,
        isBodyOptional: true,
        replies: { 200: { description: 'The result of the login.', schema: VerificationSchema } },
        errors: ['not_found', 'setup_incomplete', 'credential_unreadable', 'unknown_state', 'logins_held'],
      }),
    },
    async (request) => {
      const { params, body } = request;
      const { result, ...view } = await verifyCredential(db, ports, {
        tenantId: params.tenant_id,
        id: params.id,
        force: body.force ?? false,
        principal: principalOf(request),
      });
      return {
        result: result.kind,
        remembered: isRemembered(result),
        missing_privilege: findMissingPrivilege(result) ?? null,
        message: toLoginResultMessage(result),
        credential: toCredentialReply(view),
      };
    },
  );

  lists.register(app, {
    path: '/v1/tenants/:tenant_id/credential-coverage',
    id: 'listCredentialCoverage',
    tag: 'Credentials',
    summary: 'List credential coverage',
    description:
      'Returns the credential that a sync of each user would use now. Includes users that called the API with a token and users registered with `PUT …/users/{user_id}`.',
    params: TenantParams,
    querystring: PageQuerySchema,
    schema: CredentialCoveragePageSchema,
    pageDescription: 'A page, ordered by user id.',
    list: ({ params, page }) => listCoverage(db, ports, params.tenant_id, page),
    toReply: toCoverageReply,
  });
}

export function toCoverageReply({ user, chosen, own }: Coverage) {
  return {
    user_id: user.userId,
    display_name: user.displayName,
    active: user.active,
    last_seen_datetime: user.lastSeenAt?.toISOString() ?? null,
    covered: chosen !== undefined,
    credential:
      chosen === undefined
        ? null
        : {
            id: chosen.credential.id,
            owner: chosen.credential.owner,
            status: chosen.credential.status === 'valid' ? 'valid' : 'unverified',
            reason: chosen.reason,
          },
    own_status: own?.credential.status ?? null,
    own_status_message: own?.state.message ?? null,
  };
}

export function toCredentialReply({ credential, ubi }: CredentialView) {
  const { id, description, username, licenseNumber, owner, ownerUserId, status } = credential;
  return {
    id,
    description,
    username,
    license_number: licenseNumber,
    owner,
    owner_user_id: ownerUserId,
    ubi,
    status,
    status_message: toStatusMessage(credential),
    checked_datetime: credential.checkedAt?.toISOString() ?? null,
    last_used_datetime: credential.lastUsedAt?.toISOString() ?? null,
    etag: toEtag(credential.version),
    inserted_datetime: credential.insertedAt.toISOString(),
    updated_datetime: credential.updatedAt.toISOString(),
  };
}

function findMissingPrivilege(result: LoginResult): string | undefined {
  if (result.kind === 'privilege_missing') return result.privilege;
  return result.kind === 'valid' ? result.missingPrivilege : undefined;
}
