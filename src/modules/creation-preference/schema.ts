import Type from 'typebox';
import { STRATEGIES } from '../../domain/strategy.js';
import { Body, Datetime, Named, OneOf, Reply, Uuid } from '../../http/primitives.js';

const strategyNote = {
  description:
    '`one_per_license`: each license becomes a company of its own (preferred with LeafLink). `one_per_vendor`: all licenses of a UBI are attached to one company.',
};

export const CreationPreferenceBodySchema = Body(
  {
    strategy: OneOf(STRATEGIES, {
      description: `${strategyNote.description} There is no default: somebody has to choose.`,
    }),
    include_labs: Type.Optional(
      Type.Boolean({
        description: 'Laboratories become companies too; unless told as previewed, and without `preview_id` false.',
      }),
    ),
    preview_id: Type.Optional(
      Uuid({
        description:
          'After the first sync: the preview, of this very choice, that is to be carried out. Without one, only a change that takes nothing away is made.',
      }),
    ),
  },
  { examples: [{ strategy: 'one_per_license' }] },
);

export const CreationPreferenceSchema = Named(
  'CompanyCreationPreference',
  Reply({
    strategy: OneOf(STRATEGIES, strategyNote),
    include_labs: Type.Boolean(),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);
