import type { Db } from '../../db/database.js';
import { operation } from '../../http/operation.js';
import { sendEtag, toPrecondition } from '../../http/preconditions.js';
import { etagHeader, putHeaders } from '../../http/primitives.js';
import type { App } from '../../http/server.js';
import type { User as UserRow } from './repository.js';
import { UserBodySchema, UserParamsSchema, UserSchema } from './schema.js';
import { createUserTracker, getUser, putUser } from './service.js';

export function registerUsersRoutes(app: App, { db }: { readonly db: Db }): void {
  const reception = createUserTracker(db);
  // Of every route: whoever comes as a person has to be an active one.
  app.addHook('preValidation', async ({ principal }) => {
    if (principal !== null) await reception.receive(principal);
  });

  app.get(
    '/v1/tenants/:tenant_id/users/:user_id',
    {
      schema: operation({
        id: 'getUser',
        tag: 'Credentials',
        summary: 'A person of the host application',
        params: UserParamsSchema,
        replies: { 200: { description: 'The person.', schema: UserSchema, headers: etagHeader } },
        errors: ['not_found'],
      }),
    },
    async ({ params }, reply) => {
      const user = await getUser(db, params.tenant_id, params.user_id);
      sendEtag(reply, user.version);
      return toUserReply(user);
    },
  );

  app.put(
    '/v1/tenants/:tenant_id/users/:user_id',
    {
      schema: operation({
        id: 'putUser',
        tag: 'Credentials',
        summary: 'Tell of a person of the host application, or that he is no longer active',
        description:
          'People are also known by their tokens. Whoever is no longer active is turned away within seconds and loses his own credentials at once.',
        params: UserParamsSchema,
        headers: putHeaders,
        body: UserBodySchema,
        replies: {
          200: { description: 'Changed.', schema: UserSchema, headers: etagHeader },
          201: { description: 'Told of for the first time.', schema: UserSchema, headers: etagHeader },
        },
        errors: ['not_found', 'precondition_failed', 'precondition_required'],
      }),
    },
    async (request, reply) => {
      const { params, body } = request;
      const { tenant_id: tenantId, user_id: userId } = params;
      const input = { displayName: body.display_name ?? null, active: body.active };
      const { user, created } = await putUser(db, tenantId, userId, input, toPrecondition(request));
      reception.forget(tenantId, userId);
      sendEtag(reply, user.version).code(created ? 201 : 200);
      return toUserReply(user);
    },
  );
}

const toUserReply = ({ userId, displayName, active, lastSeenAt, insertedAt, updatedAt }: UserRow) => ({
  user_id: userId,
  display_name: displayName,
  active,
  last_seen_datetime: lastSeenAt?.toISOString() ?? null,
  inserted_datetime: insertedAt.toISOString(),
  updated_datetime: updatedAt.toISOString(),
});
