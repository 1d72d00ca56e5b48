import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { type ListRoutes, PageQuerySchema } from '../../http/list-route.js';
import { operation } from '../../http/operation.js';
import { Body } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Keyring } from './keyring.js';
import type { ApiKey as ApiKeyRow } from './repository.js';
import {
  ApiKeyBodySchema,
  ApiKeyPageSchema,
  ApiKeyParamsSchema,
  DEFAULT_OVERLAP_SECONDS,
  MeSchema,
  NewApiKeySchema,
  RotationBodySchema,
} from './schema.js';
import { createApiKey, deleteApiKey, listApiKeys, type NewApiKey, rotateApiKey } from './service.js';

export interface ApiKeysDeps {
  readonly db: Db;
  readonly lists: ListRoutes;
  readonly newId: () => string;
  readonly keyring: Keyring;
}

export function registerApiKeysRoutes(app: App, { db, lists, newId, keyring }: ApiKeysDeps): void {
  app.post(
    '/v1/api-keys',
    {
      schema: operation({
        id: 'createApiKey',
        tag: 'Operations',
        summary: 'Create an API key',
        description: 'For scripts and servers. The response contains the secret, which is never returned again.',
        body: ApiKeyBodySchema,
        replies: { 201: { description: 'The key with its secret.', schema: NewApiKeySchema } },
      }),
    },
    async ({ body }, reply) => {
      reply.code(201);
      return toNewKeyReply(
        await createApiKey(db, newId, { ...body, tenantId: body.tenant_id, expiresAt: toDate(body.expires_datetime) }),
      );
    },
  );

  lists.register(app, {
    path: '/v1/api-keys',
    id: 'listApiKeys',
    tag: 'Operations',
    summary: 'List API keys',
    description: 'Secrets are never returned.',
    params: Body({}),
    querystring: PageQuerySchema,
    schema: ApiKeyPageSchema,
    pageDescription: 'A page of API keys, oldest first.',
    list: ({ page }) => listApiKeys(db, page),
    toReply: toApiKeyReply,
  });

  app.post(
    '/v1/api-keys/:id/rotate',
    {
      schema: operation({
        id: 'rotateApiKey',
        tag: 'Operations',
        summary: 'Replace an API key',
        description:
          'Creates a key with the same description, role and tenant. The present key keeps working for `overlap_seconds`, so that its holder can change over without an interruption.',
        params: ApiKeyParamsSchema,
        body: RotationBodySchema,
        isBodyOptional: true,
        replies: { 201: { description: 'The new key with its secret.', schema: NewApiKeySchema } },
        errors: ['not_found'],
      }),
    },
    async (request, reply) => {
      const { id } = request.params;
      const { overlap_seconds: overlapSeconds = DEFAULT_OVERLAP_SECONDS, expires_datetime: expires } = request.body;
      const rotation = { id, overlapSeconds, expiresAt: toDate(expires) };
      const created = await rotateApiKey(db, newId, rotation, principalOf(request));
      keyring.forget(id);
      reply.code(201);
      return toNewKeyReply(created);
    },
  );

  app.get(
    '/v1/me',
    {
      schema: operation({
        id: 'getMe',
        tag: 'Operations',
        summary: 'Get the caller',
        description: 'What the key or token of this request is for, and when it expires.',
        replies: { 200: { description: 'The caller.', schema: MeSchema } },
      }),
    },
    async (request) => {
      const { kind, id, role, tenantId, expiresAt } = principalOf(request);
      return { kind, id, role, tenant_id: tenantId, expires_datetime: expiresAt?.toISOString() ?? null };
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      schema: operation({
        id: 'deleteApiKey',
        tag: 'Operations',
        summary: 'Delete an API key',
        description: 'The key stops working immediately, or within 5 seconds in deployments with several processes.',
        params: ApiKeyParamsSchema,
        replies: { 204: { description: 'Deleted.' } },
        errors: ['not_found'],
      }),
    },
    async (request, reply) => {
      const { id } = request.params;
      await deleteApiKey(db, id, principalOf(request));
      keyring.forget(id);
      return reply.code(204).send();
    },
  );
}

const toDate = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));

const toNewKeyReply = ({ key, secret }: NewApiKey) => ({ ...toApiKeyReply(key), secret: secret.reveal() });

const toApiKeyReply = ({ id, description, role, tenantId, insertedAt, expiresAt, lastUsedAt }: ApiKeyRow) => ({
  id,
  description,
  role,
  tenant_id: tenantId,
  inserted_datetime: insertedAt.toISOString(),
  expires_datetime: expiresAt?.toISOString() ?? null,
  last_used_datetime: lastUsedAt?.toISOString() ?? null,
});
