import type { Db } from '../../db/database.js';
import { listHeaders, sendList, toListReplies } from '../../http/list-etag.js';
import { operation } from '../../http/operation.js';
import type { Pager } from '../../http/pages.js';
import { Body, pageQuery } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Keyring } from './keyring.js';
import type { ApiKey as ApiKeyRow } from './repository.js';
import { ApiKeyBodySchema, ApiKeyPageSchema, ApiKeyParamsSchema, NewApiKeySchema } from './schema.js';
import { createApiKey, deleteApiKey, listApiKeys } from './service.js';

export interface ApiKeysDeps {
  readonly db: Db;
  readonly pager: Pager;
  readonly newId: () => string;
  readonly keyring: Keyring;
}

export function registerApiKeysRoutes(app: App, { db, pager, newId, keyring }: ApiKeysDeps): void {
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
      const { key, secret } = await createApiKey(db, newId, { ...body, tenantId: body.tenant_id });
      reply.code(201);
      return { ...toApiKeyReply(key), secret: secret.reveal() };
    },
  );

  app.get(
    '/v1/api-keys',
    {
      schema: operation({
        id: 'listApiKeys',
        tag: 'Operations',
        summary: 'List API keys',
        description: 'Secrets are never returned.',
        querystring: Body(pageQuery),
        headers: listHeaders,
        replies: toListReplies('A page of API keys, oldest first.', ApiKeyPageSchema),
        errors: ['invalid_cursor'],
      }),
    },
    async (request, reply) => {
      const { query } = request;
      const page = await listApiKeys(db, pager.toPageRequest('/v1/api-keys', query));
      return sendList(request, reply, {
        data: page.items.map(toApiKeyReply),
        next_page: pager.toNextPage('/v1/api-keys', query, page),
      });
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
    async ({ params }, reply) => {
      await deleteApiKey(db, params.id);
      keyring.forget(params.id);
      return reply.code(204).send();
    },
  );
}

const toApiKeyReply = ({ id, description, role, tenantId, insertedAt }: ApiKeyRow) => ({
  id,
  description,
  role,
  tenant_id: tenantId,
  inserted_datetime: insertedAt.toISOString(),
});
