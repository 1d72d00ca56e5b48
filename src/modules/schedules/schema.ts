import Type from 'typebox';
import { FAILURE_REASONS } from '../../domain/failure-reason.js';
import { Count, Datetime, Named, Nullable, OneOf, Reply, Shown } from '../../http/primitives.js';

export const ScheduleSchema = Named(
  'Schedule',
  Reply({
    status: OneOf(['not_started', 'running', 'paused'], {
      description:
        '`not_started`: it begins by itself with the first sync, once a license is created that creates companies. `paused`: runs failed; `resume_detail` says how it goes on.',
    }),
    interval_seconds: Type.Integer({ description: 'The usual time between two syncs, give or take a tenth.' }),
    next_datetime: Nullable(Datetime({ description: 'When the next sync is due; null: not by itself.' })),
    failures: Count({ description: 'Runs that failed since the last one that succeeded.' }),
    paused_datetime: Nullable(Datetime()),
    reason: Nullable(OneOf(FAILURE_REASONS, { description: 'Why it is paused.' })),
    resume_detail: Nullable(Shown({ description: 'How it goes on; for a person.' })),
  }),
);
