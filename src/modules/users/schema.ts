import Type from 'typebox';
import { Body, Datetime, etagField, Named, Nullable, Reply, ResponseText, Text, Uuid } from '../../http/primitives.js';

/** Has the length limit of the `sub` claim. */
const userId = Text(200, {
  description: "The host application's id of the user: the `sub` claim of their tokens.",
  examples: ['user-1'],
});

export const UserParamsSchema = Body({ tenant_id: Uuid({ description: 'The tenant.' }), user_id: userId });

export const UserBodySchema = Named(
  'UserInput',
  Body(
    {
      display_name: Type.Optional(
        Nullable(Text(200, { description: 'A label. Need not be unique.', examples: ['Ada Example'] })),
      ),
      active: Type.Boolean({
        description: "`false` revokes access and deletes the user's own credentials.",
        examples: [true],
      }),
    },
    { examples: [{ display_name: 'Ada Example', active: true }] },
  ),
);

export const UserSchema = Named(
  'User',
  Reply({
    user_id: ResponseText({ examples: ['user-1'] }),
    display_name: Nullable(ResponseText({ examples: ['Ada Example'] })),
    active: Type.Boolean(),
    last_seen_datetime: Nullable(Datetime({ description: 'When the user last sent a request; null if never.' })),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
