import type { Db } from '../../db/database.js';
import { toEtag } from '../../http/etag.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { putHeaders, TenantParams } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { Ubi as UbiRow } from './repository.js';
import { UbiBodySchema, UbiSchema } from './schema.js';
import { getUbi, putUbi, type UbiPorts } from './service.js';

export function registerUbiRoutes(app: App, { db, ...ports }: UbiPorts & { readonly db: Db }): void {
  app.get(
    '/v1/tenants/:tenant_id/ubi',
    {
      schema: operation({
        id: 'getUbi',
        tag: 'Setup',
        summary: 'Get the UBI',
        params: TenantParams,
        replies: { 200: { description: 'The UBI.', schema: UbiSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toUbiReply(await getUbi(db, params.tenant_id)),
  );

  app.put(
    '/v1/tenants/:tenant_id/ubi',
    {
      schema: operation({
        id: 'putUbi',
        tag: 'Setup',
        summary: 'Set the UBI',
        description:
          'Setup step 1. Another UBI makes all credentials `unverified`. Once licenses exist, another UBI requires `confirm`; without it, the call returns 409 `confirmation_required` with the number of affected objects.',
        params: TenantParams,
        headers: putHeaders,
        body: UbiBodySchema,
        replies: {
          200: { description: 'Updated.', schema: UbiSchema },
          201: { description: 'Created.', schema: UbiSchema },
        },
        errors: [
          'not_found',
          'confirmation_required',
          'precondition_failed',
          'precondition_required',
          'ubi_is_license_number',
        ],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const input = { ubi: body.ubi, confirmed: body.confirm === 'change_ubi' };
      const { ubi, created } = await putUbi(db, ports, params.tenant_id, input, toPrecondition(request));
      reply.code(created ? 201 : 200);
      return toUbiReply(ubi);
    },
  );
}

export const toUbiReply = ({ ubi, status, version, insertedAt, updatedAt }: UbiRow) => ({
  ubi,
  status,
  etag: toEtag(version),
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
