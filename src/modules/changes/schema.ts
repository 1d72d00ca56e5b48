import Type from 'typebox';
import { Body, Count, Datetime, Named, Nullable, Page, pageQuery, Reply, Shown, Uuid } from '../../http/primitives.js';

const fields = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description });

export const ChangeSchema = Named(
  'Change',
  Reply({
    seq: Count({ description: 'Counts from 1 for each tenant, without a gap.' }),
    kind: Shown({
      description:
        'What happened, such as `company.created`, `company.archived`, `license.moved` or `license.transferred`; `own_license.…` is about the licenses that the tenant works with. New kinds may come.',
      examples: ['company.created'],
    }),
    reason: Nullable(
      Shown({
        description: 'Why, in a word: `sold`, `renamed`, `merged`, `person` and the like. New ones may come.',
        examples: ['first_seen'],
      }),
    ),
    company_id: Nullable(Uuid({ description: 'The company it is about, or that holds the license now.' })),
    license_id: Nullable(
      Uuid({
        description:
          'The license it is about: one of a company, or with `own_license.…` one of those that the tenant created.',
      }),
    ),
    before: fields('The fields that changed, as they were; null for something new.'),
    after: fields('The fields that changed, as they are now; all of them for something new.'),
    actor: Shown({ description: 'Who asked for it.', examples: ['api_key:0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'] }),
    run_id: Nullable(Uuid({ description: 'The sync run that did it.' })),
    inserted_datetime: Datetime(),
  }),
);

export const ChangePageSchema = Page('ChangePage', ChangeSchema);

export const ChangeListQuerySchema = Body({
  ...pageQuery,
  after_seq: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Only what came after this number: a reader keeps the last `seq` that it has handled.',
    }),
  ),
});
