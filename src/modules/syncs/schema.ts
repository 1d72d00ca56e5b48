import Type from 'typebox';
import { PLAN_KINDS } from '../../domain/change-kind.js';
import { CREDENTIAL_CHOICES } from '../../domain/credential-choice.js';
import { FAILURE_REASONS } from '../../domain/failure-reason.js';
import { STRATEGIES } from '../../domain/strategy.js';
import { PLAN_ACTIONS, RUN_MODES, RUN_STATUSES, RUN_STEPS, RUN_TRIGGERS } from '../../domain/sync-run.js';
import { SKIP_REASONS } from '../../domain/vendor.js';
import {
  Body,
  Count,
  Datetime,
  KnownOf,
  LongCount,
  MessageSchema,
  Named,
  Nullable,
  NullableObject,
  OneOf,
  Page,
  pageQuery,
  Reply,
  ResponseText,
  Uuid,
  WordList,
} from '../../http/primitives.js';

const REFRESHES = ['auto', 'force'] as const;
const refreshDescription = {
  description:
    "`auto`: reads the state's list from BioTrack only if the mirrored list is older than this deployment's limit. `force`: always reads it.",
};

export const SyncBodySchema = Named(
  'SyncInput',
  Body(
    {
      mode: Type.Optional(
        OneOf(RUN_MODES, {
          description:
            '`full` plans and applies changes. `preview` only plans; list the planned changes with `GET …/syncs/{id}/plan`. Defaults to `full`.',
        }),
      ),
      refresh: Type.Optional(
        OneOf(REFRESHES, { description: `${refreshDescription.description} Defaults to \`auto\`.` }),
      ),
    },
    { examples: [{}] },
  ),
);

const SyncCounts = Named(
  'SyncCounts',
  Reply(
    {
      created: Count(),
      updated: Count(),
      unchanged: Count({
        description:
          'Companies whose own fields stay the same, even if their licenses change. Without adopted companies.',
      }),
      archived: Count(),
      reactivated: Count(),
      adopted: Count({ description: 'Manual companies that became the vendor company of a UBI.' }),
      licenses_created: Count({ description: 'Licenses that are new to the tenant.' }),
      licenses_updated: Count({
        description: 'Licenses that the state lists with other details, without those that became active or inactive.',
      }),
      licenses_deactivated: Count({
        description: 'Licenses that became inactive: no longer listed, deleted by the state, or excluded laboratories.',
      }),
      licenses_reactivated: Count({ description: 'Licenses that became active, also when they are first listed.' }),
      moved: Count({ description: 'Licenses that moved from one company to another.' }),
      conflicts: Count({ description: 'Vendors that several companies claim, until a user decides.' }),
    },
    { description: 'Numbers of companies, except where noted. Null until the run has planned its changes.' },
  ),
);

const SyncRows = Named(
  'SyncRows',
  Reply(
    {
      fetched: Count(),
      used: Count(),
      filtered: Count({
        description: 'Licenses that were inactive when first listed, and laboratories if laboratories are excluded.',
      }),
      duplicate: Count(),
      skipped: Count({
        description:
          'Rows without a readable license number, and rows of new licenses whose UBI or deleted flag cannot be read.',
      }),
    },
    {
      description:
        "Rows of the state's list: fetched = used + filtered + duplicate + skipped. Null until the list has been read.",
    },
  ),
);

export const SyncRunSchema = Named(
  'SyncRun',
  Reply({
    id: Uuid(),
    status: KnownOf(RUN_STATUSES, {
      description:
        '`queued` includes runs that wait for a retry; see `retry_datetime`. `needs_review`: the run would change unusually many licenses or companies; confirm or dismiss it. `superseded`: the setup changed during the run, and a new run replaced it.',
    }),
    reason: Nullable(
      KnownOf(FAILURE_REASONS, { description: 'Why the run failed, or why it will be retried or reviewed.' }),
    ),
    reason_message: NullableObject(MessageSchema, {
      description:
        'What the reason means and what to do. `code` is the reason, if there is one; otherwise `too_many_changes` for a run in review, or `run_dismissed`.',
    }),
    operator_detail: Nullable(
      ResponseText({
        description:
          "BioTrack's own text about the failure, at most 300 characters, without the login that was sent. Only for operators; null for all other callers.",
      }),
    ),
    trigger: KnownOf(RUN_TRIGGERS, {
      description:
        'What started the run. `request`: an API call. `setup_completed`: the first license that creates companies. `schedule`: the sync schedule. `superseded`: the run replaces a superseded one.',
    }),
    mode: KnownOf(RUN_MODES, { description: '`full` applies changes, `preview` only plans them.' }),
    refresh: KnownOf(REFRESHES, refreshDescription),
    strategy: KnownOf(STRATEGIES),
    counts: NullableObject(SyncCounts),
    rows: NullableObject(SyncRows),
    warnings: Type.Array(MessageSchema, {
      description:
        "Information for users about a run that did not fail. At most 100. `ubi_turned_blank`: the state no longer lists a UBI for the license. `open_conflicts`: several companies claim the same vendor; `count` is the number of such vendors. `plan_dismissed`: a user dismissed the plan for this list. `company_represents_another_vendor`: after the previewed switch, the license's company would represent another vendor. `companies_share_a_name`: after the previewed switch, several companies would share a name. `row_partly_read`: a value of the license's row (`field`) cannot be read; the license keeps its last known value. `list_not_read`: an optional list of the state (`action`) could not be read. `missing_kept`: new rows of the list have no readable license number, so licenses that are not listed are kept until an operator confirms the run. `list_dismissed`: the state's list is much shorter and was dismissed, so the last accepted list is used.",
    }),
    skips: Type.Array(
      Named(
        'SkippedRow',
        Reply({
          reason: KnownOf(SKIP_REASONS),
          license_number: Nullable(ResponseText({ description: 'Null if the row has no readable value.' })),
          ubi: Nullable(ResponseText({ description: 'Null if the row has no readable value.' })),
          name: Nullable(ResponseText({ description: 'Null if the row has no readable value.' })),
          text: ResponseText({ description: 'The reason in English, with the values above.' }),
        }),
      ),
      { description: "Skipped rows of the state's list, with reasons. At most 100." },
    ),
    progress: Named(
      'SyncProgress',
      Reply({
        step: KnownOf(RUN_STEPS),
        done: Count({ description: 'The number of completed steps.' }),
        total: Count({ description: 'The number of all steps.' }),
      }),
    ),
    directory_version: Nullable(LongCount({ description: "The version of the state's list that the run used." })),
    credential: NullableObject(
      Named(
        'RunCredential',
        Reply({
          id: Uuid({ description: 'The credential may have been deleted since.' }),
          owner: KnownOf(['company', 'user']),
          reason: KnownOf(CREDENTIAL_CHOICES, {
            description:
              "Why this credential was chosen. `own`: it belongs to the user who started the run. Otherwise it is a company credential, because no user started the run (`no_user`), or because the user's own credential is missing (`own_missing`), was rejected by BioTrack (`own_rejected`), or cannot be decrypted (`own_unreadable`).",
          }),
        }),
      ),
      { description: 'The credential that the run uses. Null until one is chosen.' },
    ),
    include_labs: Nullable(
      Type.Unsafe<boolean>({
        type: 'boolean',
        description: 'For a preview of a strategy switch: whether laboratories become companies. Otherwise null.',
      }),
    ),
    applied_datetime: Nullable(Datetime({ description: 'For a preview of a strategy switch: when it was applied.' })),
    attempt: Count({ description: 'The number of attempts so far.' }),
    requested_by: ResponseText({
      description:
        'Who requested the run, as in the change feed: `user:…`, `api_key:…` or `schedule`. Erased users appear under a pseudonym.',
      examples: ['user:user-1'],
    }),
    requested_datetime: Datetime(),
    started_datetime: Nullable(Datetime()),
    finished_datetime: Nullable(Datetime()),
    retry_datetime: Nullable(Datetime({ description: 'When the run is retried automatically.' })),
  }),
);

const fields = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description });

export const PlanItemSchema = Named(
  'PlanItem',
  Reply({
    action: KnownOf(PLAN_ACTIONS, {
      description:
        'What the plan does. `adopted`: a manual company becomes the vendor company of its UBI. `conflict`: a user must decide. `ambiguous`: companies that would share a name under the previewed strategy, so that they look the same in LeafLink. `skipped`: a row of the list that is skipped or filtered out.',
    }),
    kind: Nullable(
      ResponseText({
        description: 'The kind of the change in the change feed. Null if the item is not a change.',
        examples: ['license.moved'],
      }),
    ),
    reason: ResponseText({
      description: 'A reason code; of a change, that of the change feed. New codes may be added.',
      examples: ['sold'],
    }),
    company_id: Nullable(
      Uuid({ description: 'The affected company, or the company that holds the license afterwards.' }),
    ),
    company_name: Nullable(
      ResponseText({
        description:
          'The display name of that company: as the item leaves it if the item sets one, otherwise the current one.',
        examples: ['Example Mesa Farms'],
      }),
    ),
    from_company_id: Nullable(Uuid({ description: 'With `moved`: the company that held the license before.' })),
    from_company_name: Nullable(ResponseText({ description: 'The current display name of that company.' })),
    license_id: Nullable(Uuid()),
    license_number: Nullable(ResponseText()),
    license_name: Nullable(
      ResponseText({
        description:
          'The name of the license, or of the skipped row: as the item leaves it if the item sets one, otherwise the current one.',
      }),
    ),
    before: fields('The changed fields before the change. Null if the object is new or the item is not a change.'),
    after: fields(
      'The changed fields after the change. For other items, the details of the row, the conflict or the companies.',
    ),
  }),
);

export const PlanPageSchema = Page('PlanPage', PlanItemSchema);

export const EventTicketSchema = Named(
  'EventTicket',
  Reply({
    ticket: ResponseText({ description: 'The value of the query parameter `ticket`.' }),
    url: Type.String({ format: 'uri', description: 'The URL of the event stream with the ticket, for `EventSource`.' }),
    expires_datetime: Datetime({ description: 'The end of the 60 seconds in which the stream must be opened.' }),
  }),
);

export const PlanQuerySchema = Body({
  ...pageQuery,
  action: Type.Optional(WordList(PLAN_ACTIONS, 'Return only items with these actions.')),
  kind: Type.Optional(WordList(PLAN_KINDS, 'Return only changes of these kinds.')),
  company_id: Type.Optional(Uuid({ description: 'Return only items with this `company_id` or `from_company_id`.' })),
});

/** Generators that know no event streams get text. */
export const SyncEventsSchema = Type.String({
  description: 'Server-sent events. The `data` of each event is a `SyncRun` as JSON on one line.',
  examples: ['id: 2\nevent: progress\ndata: {"id":"0193a4c0-7d3e-7cc2-9f51-3f2d6f1f8a11","status":"running"}\n\n'],
});

export const SyncRunPageSchema = Page('SyncRunPage', SyncRunSchema);

export const SyncListQuerySchema = Body({
  ...pageQuery,
  status: Type.Optional(WordList(RUN_STATUSES, 'Return only runs with these statuses.')),
  trigger: Type.Optional(OneOf(RUN_TRIGGERS, { description: 'Return only runs that this started.' })),
  mode: Type.Optional(OneOf(RUN_MODES, { description: 'Return only runs of this mode.' })),
});
