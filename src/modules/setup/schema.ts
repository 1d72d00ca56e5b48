import Type from 'typebox';
import { SETUP_ACTORS, SETUP_STEPS } from '../../domain/setup.js';
import { Named, OneOf, Reply, Shown } from '../../http/primitives.js';
import { NextStepSchema } from '../../http/problem.js';

export const SetupSchema = Named(
  'Setup',
  Reply({
    steps: Type.Array(
      Reply({
        step: OneOf(SETUP_STEPS),
        status: OneOf(['done', 'blocked', 'todo'], {
          description: '`blocked`: an earlier step, or somebody, is in the way.',
        }),
        blockers: Type.Array(Shown(), { description: 'What is in the way; for a person.' }),
        warnings: Type.Array(Shown(), {
          description: 'What somebody should know of though the step is not held up by it; for a person.',
        }),
        who: OneOf(SETUP_ACTORS, {
          description:
            "Who must act. `biotrack_administrator`: whoever gives rights in the company's BioTrack. `operator`: whoever runs this service. `nobody`: it is done, or a machine is at it.",
        }),
      }),
    ),
    next_step: Type.Union([NextStepSchema, Type.Null()], {
      description: 'The call to make next; null when there is nothing left to do, or nothing that a call can do.',
    }),
  }),
);
