import Type from 'typebox';
import { ERRORS, type ErrorCode, type ServiceError } from '../domain/service-error.js';
import { Count, Named, Nullable, OneOf, Reply, Shown } from './primitives.js';

export const PROBLEM_TYPE = 'application/problem+json';

export const NextStepSchema = Named(
  'NextStep',
  Reply(
    {
      step: Shown({ examples: ['ubi'] }),
      operation_id: Shown({ examples: ['putUbi'] }),
      method: Shown({ examples: ['PUT'] }),
      path: Shown({ description: 'To be appended to the base URL.' }),
    },
    { description: 'The call to make next.' },
  ),
);

/** RFC 9457, with a code to branch on. */
export const ProblemSchema = Named(
  'Problem',
  Reply(
    {
      type: Shown({
        description: 'A stable URI of this kind of problem, which `/docs/problems/{code}` describes.',
        examples: ['urn:biotrack-connect:problem:not_found'],
      }),
      code: OneOf(Object.keys(ERRORS) as ErrorCode[], { description: 'Stable; branch on this.' }),
      title: Shown({ examples: ['There is no such thing'] }),
      status: Type.Integer(),
      detail: Shown({
        description: 'What happened this time and what to do, for a person.',
        examples: ['What to change is said here.'],
      }),
      request_id: Shown({
        description: 'Quote it when asking for help.',
        examples: ['f692f8d1-b32d-45c8-9dbd-50cd6f1b8f9e'],
      }),
      errors: Type.Optional(
        Type.Array(
          Reply({
            pointer: Shown({
              description: 'JSON pointer into the body, `?name` for a query parameter, `header:name` for a header.',
            }),
            detail: Shown(),
          }),
          { description: 'Each part of the request that does not fit.' },
        ),
      ),
      next_step: Type.Optional(NextStepSchema),
      conflicting_id: Type.Optional(Shown({ description: 'The id of what is in the way.' })),
      reason: Type.Optional(Nullable(Shown({ description: 'A finer reason under the code.' }))),
      effect: Type.Optional(
        Reply(
          {
            licenses: Count({ description: "Created licenses, which are then another vendor's." }),
            credentials: Count({ description: 'Credentials, which are unverified from then on.' }),
            companies: Count({ description: "Companies that are the tenant's own now, or would be then." }),
          },
          { description: 'With `confirmation_required`: what the change touches.' },
        ),
      ),
    },
    { description: 'Why a request was not carried out (RFC 9457).' },
  ),
);

export const toProblemType = (code: ErrorCode): string => `urn:biotrack-connect:problem:${code}`;

export function toProblem(fault: ServiceError, requestId: string): Record<string, unknown> {
  const { status, title } = ERRORS[fault.code];
  const { errors, next_step, conflicting_id, reason, effect } = fault.extras;
  return {
    type: toProblemType(fault.code),
    code: fault.code,
    title,
    status,
    detail: fault.message,
    request_id: requestId,
    ...(errors === undefined ? {} : { errors }),
    ...(next_step === undefined ? {} : { next_step }),
    ...(conflicting_id === undefined ? {} : { conflicting_id }),
    ...(reason === undefined ? {} : { reason }),
    ...(effect === undefined ? {} : { effect }),
  };
}
