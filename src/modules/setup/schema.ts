import Type from 'typebox';
import { SETUP_ACTORS, SETUP_STEPS } from '../../domain/setup.js';
import { KnownOf, MessageSchema, Named, NullableObject, Reply } from '../../http/primitives.js';
import { NextStepSchema } from '../../http/problem.js';

export const SetupSchema = Named(
  'Setup',
  Reply({
    steps: Type.Array(
      Named(
        'SetupStep',
        Reply({
          step: KnownOf(SETUP_STEPS),
          status: KnownOf(['done', 'blocked', 'todo'], {
            description:
              '`todo`: ready to do, or in progress. `blocked`: an earlier step or a problem must be resolved first; see `blockers`.',
          }),
          blockers: Type.Array(MessageSchema, {
            description: 'What keeps the step from being done, and how to fix it.',
          }),
          warnings: Type.Array(MessageSchema, {
            description: 'Problems that do not block this step, such as open conflicts or a paused schedule.',
          }),
          who: KnownOf(SETUP_ACTORS, {
            description:
              "Who must act next. `admin`: an admin of the tenant. `biotrack_administrator`: the administrator of the company's BioTrack account, who grants privileges. `operator`: the operator of this service. `none`: the step is done or in progress.",
          }),
        }),
      ),
    ),
    next_step: NullableObject(NextStepSchema, {
      description:
        'The next call to make. Null if setup is complete, if a sync is in progress, or if no API call can resolve the blocker.',
    }),
  }),
);
