import Type from 'typebox';
import { Body, Datetime, Named, Nullable, OneOf, Page, pageQuery, Reply, Shown, Uuid } from '../../http/primitives.js';

const STATUSES = ['open', 'resolved', 'gone'] as const;
const DECISIONS = ['merge', 'keep_apart'] as const;
const decisionNote = {
  description:
    '`merge`: all licenses of the UBI are held by one company, those named by hand for another one too. `keep_apart`: they stay where they are.',
};

export const ConflictSchema = Named(
  'Conflict',
  Reply({
    id: Uuid(),
    status: OneOf(STATUSES, {
      description:
        '`open`: waits for a person. `resolved`: decided. `gone`: the companies changed before anybody decided, there is nothing to decide.',
    }),
    ubi: Shown({ description: 'The vendor that several companies could stand for.', examples: ['422000931'] }),
    company_ids: Type.Array(Uuid(), { description: 'The companies that could stand for it.' }),
    decision: Nullable(OneOf(DECISIONS, decisionNote)),
    decided_company_id: Nullable(Uuid({ description: 'With `merge`: the company that holds them all.' })),
    decided_by: Nullable(Shown({ examples: ['api_key:0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'] })),
    decided_datetime: Nullable(Datetime()),
    run_id: Nullable(Uuid({ description: 'The run that found it.' })),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const ConflictPageSchema = Page('ConflictPage', ConflictSchema);

export const ConflictListQuerySchema = Body({
  ...pageQuery,
  status: Type.Optional(OneOf(STATUSES, { description: 'Only these; all unless told.' })),
});

export const ResolveBodySchema = Body(
  {
    decision: OneOf(DECISIONS, decisionNote),
    company_id: Type.Optional(Uuid({ description: 'With `merge`: one of the companies of the conflict.' })),
  },
  { examples: [{ decision: 'keep_apart' }] },
);
