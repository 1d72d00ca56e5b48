import type { Db } from '../../db/database.js';
import { Secret } from '../../domain/secret.js';
import { principalOf } from '../../http/auth.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag, toEtag, toPrecondition } from '../../http/preconditions.js';
import {
  Body,
  etagHeader,
  ItemParams,
  ifMatchHeader,
  locationHeader,
  pageQuery,
  TenantParams,
} from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import { type Coverage, listCoverage } from './coverage.js';
import { toLoginResultDetail, toStatusDetail } from './login-result.js';
import {
  CredentialBodySchema,
  CredentialCoveragePageSchema,
  CredentialPageSchema,
  CredentialPatchSchema,
  CredentialSchema,
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
  verifyCredential,
} from './service.js';

export interface CredentialsDeps extends CredentialPorts {
  readonly db: Db;
  readonly pager: Pager;
}

const LOGIN_FAULTS = [
  'unknown_state',
  'credentials_rejected',
  'ubi_rejected',
  'privilege_missing',
  'upstream_unavailable',
] as const;

export function registerCredentialsRoutes(app: App, { db, pager, ...ports }: CredentialsDeps): void {
  app.post(
    '/v1/tenants/:tenant_id/credentials',
    {
      schema: operation({
        id: 'createCredential',
        tag: 'Credentials',
        summary: 'Step 2: save a BioTrack login',
        description:
          'It is tried at BioTrack before it is saved. Needs the UBI. A credential of the company is for an admin to save; a person saves his own.',
        params: TenantParams,
        body: CredentialBodySchema,
        replies: {
          201: { description: 'Saved.', schema: CredentialSchema, headers: { ...etagHeader, ...locationHeader } },
        },
        errors: ['not_found', 'setup_incomplete', 'credential_exists', ...LOGIN_FAULTS],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { ...body, password: new Secret(body.password), verify: body.verify ?? 'required' };
      const view = await createCredential(db, ports, params.tenant_id, input, principalOf(request));
      sendEtag(reply, view.credential.version)
        .code(201)
        .header('location', `/v1/tenants/${params.tenant_id}/credentials/${view.credential.id}`);
      return toCredentialReply(view);
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/credentials',
    {
      schema: operation({
        id: 'listCredentials',
        tag: 'Credentials',
        summary: 'The credentials, without their passwords',
        description: "A person sees the company's and his own; an admin also sees that others have theirs.",
        params: TenantParams,
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page, oldest first.', CredentialPageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/credentials`;
      const wanted = pager.toPageRequest(path, query);
      const page = await listCredentials(db, params.tenant_id, wanted, principalOf(request));
      return sendList(request, reply, {
        data: page.items.map(toCredentialReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'getCredential',
        tag: 'Credentials',
        summary: 'One credential, without its password',
        params: ItemParams,
        replies: { 200: { description: 'The credential.', schema: CredentialSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async (request, reply) => {
      const { params } = request;
      const view = await getCredential(db, params.tenant_id, params.id, principalOf(request));
      sendEtag(reply, view.credential.version);
      return toCredentialReply(view);
    },
  );

  app.patch(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'updateCredential',
        tag: 'Credentials',
        summary: 'Change a credential in place',
        description: 'A new user name or password is tried at BioTrack before it replaces the old one.',
        params: ItemParams,
        headers: ifMatchHeader,
        body: CredentialPatchSchema,
        replies: { 200: { description: 'Changed.', schema: CredentialSchema, headers: etagHeader } },
        errors: [
          'not_found',
          'setup_incomplete',
          'credential_exists',
          'credential_unreadable',
          'precondition_failed',
          'precondition_required',
          ...LOGIN_FAULTS,
        ],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const changes = {
        ...body,
        password: body.password === undefined ? undefined : new Secret(body.password),
        verify: body.verify ?? 'required',
      };
      const { tenant_id: tenantId, id } = params;
      const precondition = toPrecondition(request);
      const view = await updateCredential(db, ports, tenantId, id, changes, precondition, principalOf(request));
      sendEtag(reply, view.credential.version);
      return toCredentialReply(view);
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id/credentials/:id',
    {
      schema: operation({
        id: 'deleteCredential',
        tag: 'Credentials',
        summary: 'Delete a credential with its password',
        params: ItemParams,
        headers: ifMatchHeader,
        replies: { 204: { description: 'Gone.' } },
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
        summary: 'Log in at BioTrack now',
        description: 'Whatever BioTrack says is the result of this call, an outage too; an outage changes no status.',
        params: ItemParams,
        replies: { 200: { description: 'What BioTrack said.', schema: VerificationSchema } },
        errors: ['not_found', 'setup_incomplete', 'credential_unreadable', 'unknown_state'],
      }),
    },
    async (request) => {
      const { params } = request;
      const { verdict, ...view } = await verifyCredential(db, ports, params.tenant_id, params.id, principalOf(request));
      return {
        result: verdict.kind,
        missing_privilege: verdict.kind === 'privilege_missing' ? verdict.privilege : null,
        detail: toLoginResultDetail(verdict),
        credential: toCredentialReply(view),
      };
    },
  );

  app.get(
    '/v1/tenants/:tenant_id/credential-coverage',
    {
      schema: operation({
        id: 'listCredentialCoverage',
        tag: 'Credentials',
        summary: 'Who has a login to work with, and which',
        description:
          'The people of the host application that are known here: by their tokens, or by `PUT …/users/{user_id}`.',
        params: TenantParams,
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page, in the order of user ids.', CredentialCoveragePageSchema),
        errors: ['not_found', 'invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { params, query } = request;
      const path = `/v1/tenants/${params.tenant_id}/credential-coverage`;
      const page = await listCoverage(db, ports, params.tenant_id, pager.toPageRequest(path, query));
      return sendList(request, reply, {
        data: page.items.map(toCoverageReply),
        next_page: pager.toNextPage(path, query, page),
      });
    },
  );
}

function toCoverageReply({ user, chosen, own }: Coverage) {
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
    own_status_detail: own === undefined || own.state.detail === '' ? null : own.state.detail,
  };
}

function toCredentialReply({ credential, ubi }: CredentialView) {
  const { id, description, username, owner, ownerUserId, status } = credential;
  return {
    id,
    description,
    username,
    owner,
    owner_user_id: ownerUserId,
    ubi,
    status,
    status_detail: toStatusDetail(credential),
    checked_datetime: credential.checkedAt?.toISOString() ?? null,
    last_used_datetime: credential.lastUsedAt?.toISOString() ?? null,
    etag: toEtag(credential.version),
    inserted_datetime: credential.insertedAt.toISOString(),
    updated_datetime: credential.updatedAt.toISOString(),
  };
}
