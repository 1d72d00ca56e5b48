import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode, ServiceError } from '../domain/service-error.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';
import { toValidationError } from './validation.js';

/** Turns what a lower room throws into a fault; undefined if it does not know the error. */
export type TranslateError = (error: unknown) => ServiceError | undefined;

/** What the framework itself refuses, by its codes: https://fastify.dev/docs/latest/Reference/Errors/ */
const FRAMEWORK_FAULTS: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'Send a smaller body.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send application/json.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed_json', 'The body is empty, but its content type says JSON.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_json', 'The body cannot be parsed.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL cannot be decoded.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the path is too long.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request cannot be routed.'],
};

export function registerErrorHandler(app: FastifyInstance, translate: TranslateError): void {
  app.setErrorHandler((error: FastifyError, request, reply) => sendFault(toFault(error, translate), request, reply));
}

/** For errors that the framework finds before a route is known: those never reach the error handler. */
export function handleFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void sendFault(
    toFault(error, () => undefined),
    request,
    reply,
  );
}

function toFault(error: FastifyError, translate: TranslateError): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error.validation !== undefined) return toValidationError({ ...error, validation: error.validation });
  const framework = FRAMEWORK_FAULTS[error.code];
  if (framework !== undefined) return new ServiceError(...framework, { cause: error });
  // The JSON parser's own errors: a syntax error, or a key such as __proto__.
  if (error instanceof SyntaxError && error.statusCode === 400) {
    return new ServiceError('malformed_json', 'The body cannot be parsed.', { cause: error });
  }
  return (
    translate(error) ??
    new ServiceError('internal', 'This is our fault. Quote the request id when asking for help.', { cause: error })
  );
}

function sendFault(fault: ServiceError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status } = ERRORS[fault.code];
  request.fault = fault;
  // Again what a hook sets: some errors come before any hook.
  reply.code(status).type(PROBLEM_TYPE).headers({ 'cache-control': 'no-store', 'x-request-id': request.id });
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  const { retryAfterSeconds = status === 503 ? 5 : undefined } = fault.extras;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  return reply.send(JSON.stringify(toProblem(fault, request.id)));
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Why the request failed, for the one line that is logged of it. */
    fault: ServiceError | null;
  }
}
