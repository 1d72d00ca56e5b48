import Type from 'typebox';
import { ERRORS, type ErrorCode, type ServiceError } from '../domain/service-error.js';
import { Count, KnownOf, Named, Nullable, Reply, ResponseText } from './primitives.js';

export const PROBLEM_TYPE = 'application/problem+json';

export const NextStepSchema = Named(
  'NextStep',
  Reply(
    {
      step: ResponseText({ description: 'The setup step that the call belongs to.', examples: ['ubi'] }),
      operation_id: ResponseText({ examples: ['putUbi'] }),
      method: ResponseText({ examples: ['PUT'] }),
      path: ResponseText({ description: 'The path of the call, relative to the base URL.' }),
    },
    { description: 'The call to make next.' },
  ),
);

export const FieldErrorSchema = Named(
  'FieldError',
  Reply({
    pointer: ResponseText({
      description:
        'A JSON pointer into the body, `?name` for a query parameter, `header:name` for a header, or `path:name` for a path parameter.',
    }),
    detail: ResponseText({ description: 'What is wrong with it, in plain words.', examples: ['is required'] }),
  }),
);

export const ProblemSchema = Named(
  'Problem',
  Reply(
    {
      type: ResponseText({
        description: 'A stable URI that identifies the problem type, documented at `/docs/problems/{code}`.',
        examples: ['urn:biotrack-connect:problem:not_found'],
      }),
      code: KnownOf(Object.keys(ERRORS) as ErrorCode[], { description: 'A stable code to branch on.' }),
      title: ResponseText({ examples: [ERRORS.not_found.title] }),
      status: Type.Integer({ format: 'int32' }),
      detail: ResponseText({
        description: 'What is wrong with this request and what to do next. Not stable; do not parse it.',
        examples: ['The tenant does not exist, or the caller cannot access it.'],
      }),
      request_id: ResponseText({
        description: 'Include it when you contact support.',
        examples: ['f692f8d1-b32d-45c8-9dbd-50cd6f1b8f9e'],
      }),
      errors: Type.Optional(
        Type.Array(FieldErrorSchema, { description: 'The invalid parts of the request, at most 20.' }),
      ),
      next_step: Type.Optional(NextStepSchema),
      conflicting_id: Type.Optional(ResponseText({ description: 'The id of the object that caused the conflict.' })),
      reason: Type.Optional(Nullable(ResponseText({ description: 'A more specific reason for some codes.' }))),
      effect: Type.Optional(
        Named(
          'UbiChangeEffect',
          Reply(
            {
              licenses: Count({ description: 'Created licenses that the new UBI does not cover.' }),
              credentials: Count({ description: 'Credentials that become unverified.' }),
              companies: Count({ description: "Companies that start or stop being the tenant's own." }),
            },
            { description: 'What the change would affect. Present with `confirmation_required`.' },
          ),
        ),
      ),
    },
    { description: 'An error (RFC 9457).' },
  ),
);

export const toProblemType = (code: ErrorCode): string => `urn:biotrack-connect:problem:${code}`;

export function toProblem(error: ServiceError, requestId: string): Record<string, unknown> {
  const { status, title } = ERRORS[error.code];
  const { errors, next_step, conflicting_id, reason, effect } = error.extras;
  return {
    type: toProblemType(error.code),
    code: error.code,
    title,
    status,
    detail: error.message,
    request_id: requestId,
    ...(errors === undefined ? {} : { errors }),
    ...(next_step === undefined ? {} : { next_step }),
    ...(conflicting_id === undefined ? {} : { conflicting_id }),
    ...(reason === undefined ? {} : { reason }),
    ...(effect === undefined ? {} : { effect }),
  };
}
