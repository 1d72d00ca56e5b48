import type { Db } from '../../db/database.js';
import { principalOf } from '../../http/auth.js';
import { toEtag } from '../../http/etag.js';
import { operation } from '../../http/operation.js';
import { toPrecondition } from '../../http/preconditions.js';
import { ifMatchHeader, putHeaders } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { User as UserRow } from './repository.js';
import { UserBodySchema, UserParamsSchema, UserSchema } from './schema.js';
import { eraseUser, getUser, putUser, type UserPorts, type UserTracker } from './service.js';

export interface UsersDeps extends UserPorts {
  readonly db: Db;
  readonly tracker: UserTracker;
}

export function registerUsersRoutes(app: App, { db, tracker, ...ports }: UsersDeps): void {
  // Runs for every route of the app.
  app.addHook('preValidation', async ({ principal }) => {
    if (principal !== null) await tracker.requireActive(principal);
  });

  app.get(
    '/v1/tenants/:tenant_id/users/:user_id',
    {
      schema: operation({
        id: 'getUser',
        tag: 'Credentials',
        summary: 'Get a user',
        params: UserParamsSchema,
        replies: { 200: { description: 'The user.', schema: UserSchema } },
        errors: ['not_found'],
      }),
    },
    async ({ params }) => toUserReply(await getUser(db, params.tenant_id, params.user_id)),
  );

  app.put(
    '/v1/tenants/:tenant_id/users/:user_id',
    {
      schema: operation({
        id: 'putUser',
        tag: 'Credentials',
        summary: 'Register or deactivate a user',
        description:
          'Users are also registered by their first request with a token of the host application. With `active: false`, the user loses access within 10 seconds, and their own credentials are deleted immediately.',
        params: UserParamsSchema,
        headers: putHeaders,
        body: UserBodySchema,
        replies: {
          200: { description: 'Updated.', schema: UserSchema },
          201: { description: 'Registered.', schema: UserSchema },
        },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const { tenant_id: tenantId, user_id: userId } = params;
      const input = { displayName: body.display_name ?? null, active: body.active };
      const precondition = toPrecondition(request);
      const { user, created } = await putUser(db, ports, {
        tenantId,
        userId,
        input,
        precondition,
        principal: principalOf(request),
      });
      tracker.forget(tenantId, userId);
      reply.code(created ? 201 : 200);
      return toUserReply(user);
    },
  );

  app.delete(
    '/v1/tenants/:tenant_id/users/:user_id',
    {
      schema: operation({
        id: 'deleteUser',
        tag: 'Credentials',
        summary: 'Delete a user',
        description:
          'Deletes the user and their own credentials. What the user did stays in the change feed, decisions, sync runs and the audit, with a pseudonym in place of the user id. Take away the access in the host application first: another request with a valid token registers the user again.',
        params: UserParamsSchema,
        headers: ifMatchHeader,
        replies: { 204: { description: 'Erased.' } },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { tenant_id: tenantId, user_id: userId } = request.params;
      await eraseUser(db, ports, {
        tenantId,
        userId,
        precondition: toPrecondition(request),
        principal: principalOf(request),
      });
      tracker.forget(tenantId, userId);
      return reply.code(204).send();
    },
  );
}

const toUserReply = ({ userId, displayName, active, lastSeenAt, version, insertedAt, updatedAt }: UserRow) => ({
  user_id: userId,
  display_name: displayName,
  active,
  last_seen_datetime: lastSeenAt?.toISOString() ?? null,
  etag: toEtag(version),
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
