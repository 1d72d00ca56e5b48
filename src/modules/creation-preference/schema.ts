import Type from 'typebox';
import { STRATEGIES } from '../../domain/strategy.js';
import { Body, Datetime, etagField, KnownOf, Named, OneOf, Reply, Uuid } from '../../http/primitives.js';

const strategyNote = {
  description:
    '`one_per_license`: creates one company per license (recommended with LeafLink). `one_per_vendor`: creates one company per vendor, with all licenses of its UBI.',
};

export const CreationPreferenceBodySchema = Named(
  'CompanyCreationPreferenceInput',
  Body(
    {
      strategy: OneOf(STRATEGIES, {
        description: `${strategyNote.description} There is no default.`,
      }),
      include_labs: Type.Optional(
        Type.Boolean({
          description:
            "Whether laboratories become companies. Defaults to the preview's value, or to `false` without `preview_id`.",
        }),
      ),
      preview_id: Type.Optional(
        Uuid({
          description:
            'The id of a preview of this preference, which is then applied. Required after the first sync for changes that move licenses or archive companies.',
        }),
      ),
    },
    { examples: [{ strategy: 'one_per_license' }] },
  ),
);

export const CreationPreferenceSchema = Named(
  'CompanyCreationPreference',
  Reply({
    strategy: KnownOf(STRATEGIES, strategyNote),
    include_labs: Type.Boolean({ description: 'Whether laboratories become companies.' }),
    ...etagField,
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
