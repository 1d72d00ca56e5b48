import Type from 'typebox';
import { ENVIRONMENTS } from '../../domain/environment.js';
import { Named, Nullable, OneOf, Reply, Shown } from '../../http/primitives.js';

export const StateSchema = Named(
  'State',
  Reply({
    code: Shown({ examples: ['NM'] }),
    name: Shown({ examples: ['New Mexico'] }),
    status: OneOf(['active', 'left'], { description: '`left`: the state no longer uses BioTrack.' }),
    left_date: Nullable(Shown({ description: 'When it left, as far as known: a year or a date.' })),
    dialect: Nullable(
      OneOf(['api4', 'rest'], {
        description: "The protocol of the state's BioTrack; null if no environment is configured.",
      }),
    ),
    environments: Type.Array(OneOf(ENVIRONMENTS)),
    license_types: Type.Array(Reply({ code: Shown(), name: Shown() }), {
      description: "The state's codes of license types, as far as known. A code that is not in it is kept as it came.",
    }),
  }),
);

export const StateListSchema = Named('StateList', Reply({ data: Type.Array(StateSchema) }));
