import Type from 'typebox';
import {
  Body,
  Datetime,
  KnownOf,
  Named,
  Nullable,
  OneOf,
  Page,
  pageQuery,
  Reply,
  ResponseText,
  Uuid,
} from '../../http/primitives.js';

const STATUSES = ['open', 'resolved', 'closed'] as const;
const DECISIONS = ['merge', 'keep_apart'] as const;
const decisionDescription = {
  description:
    '`merge`: one company holds all licenses of the UBI, including those added manually to the other companies; the others are archived, with `superseded_by`, unless they wait for other licenses. `keep_apart`: the companies keep their licenses.',
};

export const ConflictSchema = Named(
  'Conflict',
  Reply({
    id: Uuid(),
    status: KnownOf(STATUSES, {
      description:
        '`open`: a user must decide. `resolved`: a user has decided. `closed`: the companies changed before a decision, so there is nothing to decide.',
    }),
    ubi: ResponseText({ description: 'The UBI of the vendor that several companies claim.', examples: ['422000931'] }),
    company_ids: Type.Array(Uuid(), {
      description:
        'The companies that claim the vendor and can be chosen. A company that already represents another vendor is left out.',
    }),
    companies: Type.Array(
      Named(
        'ConflictCompany',
        Reply({
          id: Uuid(),
          name: ResponseText({ description: 'Its display name.', examples: ['Example Mesa Farms'] }),
          ubi: Nullable(
            ResponseText({ description: 'The UBI that all its licenses share. Null if they have none or several.' }),
          ),
          license_numbers: Type.Array(ResponseText({ examples: ['220091777'] }), {
            description: 'The numbers of its active licenses, at most 20.',
          }),
        }),
      ),
      { description: 'The companies in `company_ids`, in the same order, as they are now.' },
    ),
    decision: Nullable(KnownOf(DECISIONS, decisionDescription)),
    decided_company_id: Nullable(Uuid({ description: 'With `merge`: the company that holds all licenses.' })),
    decided_company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
    decided_by: Nullable(ResponseText({ examples: ['api_key:0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11'] })),
    decided_datetime: Nullable(Datetime()),
    run_id: Nullable(Uuid({ description: 'The run that found the conflict.' })),
    inserted_datetime: Datetime(),
    updated_datetime: Datetime(),
  }),
);

export const ConflictPageSchema = Page('ConflictPage', ConflictSchema);

export const ConflictListQuerySchema = Body({
  ...pageQuery,
  status: Type.Optional(OneOf(STATUSES, { description: 'Return only conflicts with this status. Defaults to all.' })),
});

export const ResolveBodySchema = Named(
  'ConflictDecisionInput',
  Body(
    {
      decision: OneOf(DECISIONS, decisionDescription),
      company_id: Type.Optional(
        Uuid({ description: 'Required with `merge`: one of `company_ids`. Not allowed with `keep_apart`.' }),
      ),
    },
    { examples: [{ decision: 'keep_apart' }] },
  ),
);
