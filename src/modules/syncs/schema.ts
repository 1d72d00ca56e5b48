import Type from 'typebox';
import { CREDENTIAL_CHOICES } from '../../domain/credential-choice.js';
import { FAILURE_REASONS } from '../../domain/failure-reason.js';
import { STRATEGIES } from '../../domain/strategy.js';
import { PLAN_ACTIONS, RUN_STATUSES, RUN_STEPS } from '../../domain/sync-run.js';
import { SKIP_REASONS } from '../../domain/vendor.js';
import { Body, Count, Datetime, Named, Nullable, OneOf, Page, Reply, Shown, Uuid } from '../../http/primitives.js';

const REFRESHES = ['auto', 'force'] as const;
const refreshNote = {
  description:
    "`auto`: asks the state only if its mirrored list is older than this deployment's limit. `force`: asks in any case.",
};

export const SyncBodySchema = Body(
  {
    mode: Type.Optional(
      OneOf(['full', 'preview'], {
        description:
          '`full` (unless told): plan and apply. `preview`: plan and write nothing; `GET …/syncs/{id}/plan` shows what would be done.',
      }),
    ),
    refresh: Type.Optional(OneOf(REFRESHES, { description: `${refreshNote.description} \`auto\` unless told.` })),
  },
  { examples: [{}] },
);

const SyncCounts = Named(
  'SyncCounts',
  Reply(
    {
      created: Count(),
      updated: Count(),
      unchanged: Count(),
      archived: Count(),
      reactivated: Count(),
      adopted: Count({ description: 'Manual companies that now stand for a UBI.' }),
      moved: Count({ description: 'Licenses that went from one company to another.' }),
      conflicts: Count(),
    },
    { description: 'Companies, unless said otherwise.' },
  ),
);

const SyncRows = Named(
  'SyncRows',
  Reply(
    {
      fetched: Count(),
      used: Count(),
      filtered: Count({ description: 'Inactive at first sight, or labs that are not wanted.' }),
      duplicate: Count(),
      skipped: Count({ description: 'Rows that hold no license, such as one without a number.' }),
    },
    { description: "Rows of the state's list: fetched = used + filtered + duplicate + skipped." },
  ),
);

const nullableObject = <S extends ReturnType<typeof Named>>(schema: S) => Type.Union([schema, Type.Null()]);

export const SyncRunSchema = Named(
  'SyncRun',
  Reply({
    id: Uuid(),
    status: OneOf(RUN_STATUSES),
    reason: Nullable(OneOf(FAILURE_REASONS, { description: 'Why it ended without a result.' })),
    reason_detail: Nullable(Shown({ description: 'What that means and what to do; for a person.' })),
    trigger: OneOf(['request', 'setup_completed', 'schedule', 'superseded']),
    mode: OneOf(['full', 'preview']),
    refresh: OneOf(REFRESHES, refreshNote),
    strategy: OneOf(STRATEGIES),
    counts: nullableObject(SyncCounts),
    rows: nullableObject(SyncRows),
    warnings: Type.Array(
      Reply({
        code: OneOf(['ubi_turned_blank', 'plan_dismissed', 'company_means_another_vendor', 'companies_share_a_name']),
        license_number: Nullable(Shown()),
        detail: Shown({ description: 'What it means, for a person.' }),
      }),
      {
        description: 'What a person should know of though nothing failed; at most 100 of them.',
      },
    ),
    skips: Type.Array(
      Reply({
        reason: OneOf(SKIP_REASONS),
        license_number: Nullable(Shown()),
        ubi: Nullable(Shown()),
        name: Nullable(Shown()),
      }),
      { description: "Rows of the state's list that were not taken, and why; at most 100 of them." },
    ),
    progress: Reply({
      step: OneOf(RUN_STEPS),
      done: Count({ description: 'Steps behind us.' }),
      total: Count(),
    }),
    directory_version: Nullable(Count({ description: "Which version of the state's list it worked from." })),
    credential: Type.Union(
      [
        Reply({
          id: Uuid({ description: 'It may be deleted by now.' }),
          owner: OneOf(['company', 'user']),
          reason: OneOf(CREDENTIAL_CHOICES, {
            description:
              "Why this one. `own`: the person who asked has a login of his own. The company's, because no person asked (`no_person`), or because that person has none (`own_missing`), BioTrack refused it (`own_refused`) or it cannot be opened (`own_unreadable`).",
          }),
        }),
        Type.Null(),
      ],
      { description: 'The login that it works with; null until one was chosen.' },
    ),
    include_labs: Nullable(
      Type.Unsafe<boolean>({ type: 'boolean', description: 'What a preview of a switch was asked for.' }),
    ),
    applied_datetime: Nullable(Datetime({ description: 'When the switch that was previewed was made.' })),
    attempt: Count({ description: 'How often a worker took it up.' }),
    requested_datetime: Datetime(),
    started_datetime: Nullable(Datetime()),
    finished_datetime: Nullable(Datetime()),
    retry_datetime: Nullable(Datetime({ description: 'When a machine tries again by itself.' })),
  }),
);

const fields = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description });

export const PlanItemSchema = Named(
  'PlanItem',
  Reply({
    action: OneOf(PLAN_ACTIONS, {
      description:
        'What becomes of it. `adopted`: a company made by hand now stands for its UBI. `conflict`: left to a person. `ambiguous`: companies of one name, which LeafLink could not tell apart under a previewed strategy. `skipped`: a row that is not taken.',
    }),
    kind: Nullable(
      Shown({ description: 'The kind of the change in the feed; null for what is none.', examples: ['license.moved'] }),
    ),
    reason: Shown({ description: 'Why, in a word. New ones may come.', examples: ['sold'] }),
    company_id: Nullable(Uuid({ description: 'The company it is about, or that holds the license then.' })),
    license_id: Nullable(Uuid()),
    license_number: Nullable(Shown()),
    before: fields('The fields that change, as they are; null for something new, and for what is no change.'),
    after: fields(
      'The fields that change, as they shall be; of a row, a conflict or companies of one name what is known of it.',
    ),
  }),
);

export const PlanPageSchema = Page('PlanPage', PlanItemSchema);

export const SyncRunPageSchema = Page('SyncRunPage', SyncRunSchema);
