import Type from 'typebox';
import { Body, Datetime, Named, Nullable, Reply, Shown, Text, Uuid } from '../../http/primitives.js';

/** As long as what a token may carry. */
const userId = Text(200, {
  description: "The host application's id of the person: the `sub` of his tokens.",
  examples: ['user-1'],
});

export const UserParamsSchema = Body({ tenant_id: Uuid({ description: 'The tenant.' }), user_id: userId });

export const UserBodySchema = Body(
  {
    display_name: Type.Optional(
      Nullable(Text(200, { description: 'For people; it identifies nobody.', examples: ['Ada Example'] })),
    ),
    active: Type.Boolean({
      description: '`false`: the person is turned away, and his own credentials are deleted with their passwords.',
      examples: [true],
    }),
  },
  { examples: [{ display_name: 'Ada Example', active: true }] },
);

export const UserSchema = Named(
  'User',
  Reply({
    user_id: Shown({ examples: ['user-1'] }),
    display_name: Nullable(Shown({ examples: ['Ada Example'] })),
    active: Type.Boolean(),
    last_seen_datetime: Nullable(
      Datetime({ description: 'When a token of this person last came; null for somebody who was only told of.' }),
    ),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
