import Type from 'typebox';
import { Body, Datetime, etagField, KnownOf, Named, OneOf, Reply, ResponseText, Text } from '../../http/primitives.js';

export const UbiBodySchema = Named(
  'UbiInput',
  Body(
    {
      ubi: Text(64, {
        description:
          "The company's Unified Business Identifier (UBI), issued by the state. Stored as entered. Leading zeros are significant. Leading, trailing and repeated spaces are ignored when UBIs are compared.",
        examples: ['422000931'],
      }),
      confirm: Type.Optional(
        OneOf(['change_ubi'], {
          description: 'Required to change the UBI once licenses exist, because another UBI means another business.',
        }),
      ),
    },
    { examples: [{ ubi: '422000931' }] },
  ),
);

export const UbiSchema = Named(
  'Ubi',
  Reply({
    ubi: ResponseText({ description: 'As entered.', examples: ['422000931'] }),
    status: KnownOf(['unverified', 'verified', 'rejected'], {
      description:
        '`unverified`: no login with this UBI yet. `verified`: BioTrack accepted a login with it. `rejected`: BioTrack does not recognize it.',
    }),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
