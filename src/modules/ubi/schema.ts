import Type from 'typebox';
import { Body, Datetime, Named, OneOf, Reply, Shown, Text } from '../../http/primitives.js';

export const UbiBodySchema = Body(
  {
    ubi: Text(64, {
      description:
        "The company's Unified Business Identifier as the state gave it. Kept as typed; leading zeros count.",
      examples: ['422000931'],
    }),
    confirm: Type.Optional(
      OneOf(['change_ubi'], {
        description: 'Needed to change it once licenses exist: another UBI is another business.',
      }),
    ),
  },
  { examples: [{ ubi: '422000931' }] },
);

export const UbiSchema = Named(
  'Ubi',
  Reply({
    ubi: Shown({ description: 'As typed.', examples: ['422000931'] }),
    status: OneOf(['unverified', 'verified', 'rejected'], {
      description: '`verified`: a login at BioTrack succeeded with it. `rejected`: BioTrack did not know it.',
    }),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
