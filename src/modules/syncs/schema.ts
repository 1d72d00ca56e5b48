import Type from 'typebox';
import { FAILURE_REASONS } from '../../domain/failure-reason.js';
import { STRATEGIES } from '../../domain/strategy.js';
import { RUN_STATUSES, RUN_STEPS } from '../../domain/sync-run.js';
import { SKIP_REASONS } from '../../domain/vendor.js';
import { Body, Count, Datetime, Named, Nullable, OneOf, Page, Reply, Shown, Uuid } from '../../http/primitives.js';

const REFRESHES = ['auto', 'force'] as const;
const refreshNote = {
  description:
    "`auto`: asks the state only if its mirrored list is older than this deployment's limit. `force`: asks in any case.",
};

export const SyncBody = Body(
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

export const SyncRun = Named(
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
    warnings: Type.Array(Reply({ code: Shown({ examples: ['ubi_turned_blank'] }), license_number: Shown() }), {
      description: 'What a person should know of though nothing failed; at most 100 of them.',
    }),
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
    attempt: Count({ description: 'How often a worker took it up.' }),
    requested_datetime: Datetime(),
    started_datetime: Nullable(Datetime()),
    finished_datetime: Nullable(Datetime()),
    retry_datetime: Nullable(Datetime({ description: 'When a machine tries again by itself.' })),
  }),
);

export const SyncRunPage = Page('SyncRunPage', SyncRun);
