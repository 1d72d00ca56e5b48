import Type from 'typebox';
import { FAILURE_REASONS } from '../../domain/failure-reason.js';
import {
  Count,
  Datetime,
  KnownOf,
  MessageSchema,
  Named,
  Nullable,
  NullableObject,
  Reply,
} from '../../http/primitives.js';

export const ScheduleSchema = Named(
  'Schedule',
  Reply({
    status: KnownOf(['not_started', 'running', 'paused'], {
      description:
        '`not_started`: the tenant has no license that creates companies. `running`: syncs start automatically. `paused`: runs failed; `resume_message` explains how to resume.',
    }),
    interval_seconds: Type.Integer({
      format: 'int32',
      description:
        'The regular time between two checks of the state in seconds, plus or minus 10%. A check that finds something new starts a sync.',
    }),
    next_datetime: Nullable(
      Datetime({ description: 'When the next check or sync is due. Null if none is scheduled.' }),
    ),
    last_synced_datetime: Nullable(
      Datetime({
        description:
          'When the tenant was last known to be up to date with its state: the end of its last successful sync, or a later check of the state that found nothing new. Such a check has no sync run.',
      }),
    ),
    failures: Count({ description: 'Failed runs since the last success.' }),
    paused_datetime: Nullable(Datetime()),
    reason: Nullable(KnownOf(FAILURE_REASONS, { description: 'Why the schedule is paused.' })),
    resume_message: NullableObject(MessageSchema, {
      description: 'How the schedule resumes. Null if it is not paused.',
    }),
  }),
);
