import Type from 'typebox';
import { SETUP_STEPS } from '../../domain/setup.js';
import { Named, OneOf, Reply, Shown } from '../../http/primitives.js';
import { NextStep } from '../../http/problem.js';

export const Setup = Named(
  'Setup',
  Reply({
    steps: Type.Array(
      Reply({
        step: OneOf(SETUP_STEPS),
        status: OneOf(['done', 'blocked', 'todo'], {
          description: '`blocked`: an earlier step, or somebody, is in the way.',
        }),
        blockers: Type.Array(Shown(), { description: 'What is in the way; for a person.' }),
        who: OneOf(['admin', 'biotrack_administrator', 'nobody'], { description: 'Who must act.' }),
      }),
    ),
    next_step: Type.Union([NextStep, Type.Null()], {
      description: 'The call to make next; null when there is nothing left to do.',
    }),
  }),
);
