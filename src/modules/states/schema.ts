import Type from 'typebox';
import { ENVIRONMENTS } from '../../domain/environment.js';
import { KnownOf, Named, Nullable, Reply, ResponseText } from '../../http/primitives.js';

export const StateSchema = Named(
  'State',
  Reply({
    code: ResponseText({ description: 'The US postal code of the state.', examples: ['NM'] }),
    name: ResponseText({ examples: ['New Mexico'] }),
    status: KnownOf(['active', 'left'], { description: '`left`: the state no longer uses BioTrack.' }),
    left_date: Nullable(
      ResponseText({
        description: 'When the state stopped using BioTrack: a date or a year. Null if unknown or if it still does.',
      }),
    ),
    dialect: Nullable(
      KnownOf(['api4', 'rest'], {
        description: "The protocol of the state's BioTrack API. Null if no environment is configured.",
      }),
    ),
    environments: Type.Array(KnownOf(ENVIRONMENTS), { description: 'The environments configured in this deployment.' }),
    license_types: Type.Array(Named('LicenseType', Reply({ code: ResponseText(), name: ResponseText() })), {
      description:
        'The known license types of the state. Licenses can have other types, which are labeled `Type` with their code.',
    }),
  }),
);

export const StateListSchema = Named('StateList', Reply({ data: Type.Array(StateSchema) }));
