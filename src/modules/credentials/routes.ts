import type { Db } from '../../db/database.js';
import { Secret } from '../../domain/secret.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
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
import { Credential, CredentialBody, CredentialPage, CredentialPatch, Verification } from './schema.js';
import {
  type CredentialPorts,
  type CredentialView,
  changeCredential,
  createCredential,
  deleteCredential,
  getCredential,
  listCredentials,
  verifyCredential,
} from './service.js';
import { toStatusDetail, toVerdictDetail } from './verdict.js';

export interface CredentialsDeps extends CredentialPorts {
  readonly db: Db;
  readonly pager: Pager;
}

const LOGIN_FAULTS = ['credentials_rejected', 'ubi_rejected', 'privilege_missing', 'upstream_unavailable'] as const;

export function useCredentials(app: App, { db, pager, ...ports }: CredentialsDeps): void {
  app.post(
    '/v1/tenants/:tenant_id/credentials',
    {
      schema: operation({
        id: 'createCredential',
        tag: 'Credentials',
        summary: 'Step 2: save a BioTrack login',
        description: 'It is tried at BioTrack before it is saved. Needs the UBI.',
        params: TenantParams,
        body: CredentialBody,
        replies: { 201: { description: 'Saved.', schema: Credential, headers: { ...etagHeader, ...locationHeader } } },
        faults: ['not_found', 'setup_incomplete', 'credential_exists', ...LOGIN_FAULTS],
      }),
    },
    async ({ params, body }, reply) => {
      const input = { ...body, password: new Secret(body.password), verify: body.verify ?? 'required' };
      const view = await createCredential(db, ports, params.tenant_id, input);
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
        summary: 'All credentials, without their passwords',
        params: TenantParams,
        querystring: Body(pageQuery),
        replies: { 200: { description: 'A page, oldest first.', schema: CredentialPage } },
        faults: ['not_found', 'invalid_cursor'],
      }),
    },
    async ({ params, query }) => {
      const path = `/v1/tenants/${params.tenant_id}/credentials`;
      const page = await listCredentials(db, params.tenant_id, pager.toPageRequest(path, query));
      return { data: page.items.map(toCredentialReply), next_page: pager.toNextPage(path, query, page) };
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
        replies: { 200: { description: 'The credential.', schema: Credential, headers: etagHeader } },
        faults: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const view = await getCredential(db, params.tenant_id, params.id);
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
        body: CredentialPatch,
        replies: { 200: { description: 'Changed.', schema: Credential, headers: etagHeader } },
        faults: [
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
      const view = await changeCredential(db, ports, params.tenant_id, params.id, changes, toPrecondition(request));
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
        faults: ['not_found', 'in_use', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      await deleteCredential(db, request.params.tenant_id, request.params.id, toPrecondition(request));
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
        replies: { 200: { description: 'What BioTrack said.', schema: Verification } },
        faults: ['not_found', 'setup_incomplete', 'credential_unreadable'],
      }),
    },
    async ({ params }) => {
      const { verdict, ...view } = await verifyCredential(db, ports, params.tenant_id, params.id);
      return {
        result: verdict.kind,
        missing_privilege: verdict.kind === 'privilege_missing' ? verdict.privilege : null,
        detail: toVerdictDetail(verdict),
        credential: toCredentialReply(view),
      };
    },
  );
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
    inserted_datetime: credential.insertedAt.toISOString(),
    updated_datetime: credential.updatedAt.toISOString(),
  };
}
