import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode, ServiceError } from '../domain/service-error.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';
import { toValidationError } from './validation.js';

/** Converts errors of other layers, such as the database; undefined for unknown errors. */
export type TranslateError = (error: unknown) => ServiceError | undefined;

/** Errors that Fastify itself throws, by code: https://fastify.dev/docs/latest/Reference/Errors/ */
const FRAMEWORK_ERRORS: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'Split the request into several smaller ones.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the header "Content-Type: application/json".'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [
    'malformed_json',
    'The body is empty. Send a JSON document, or omit the Content-Type header.',
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_json', 'The body could not be parsed.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The length of the body differs from Content-Length.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL contains an invalid percent-encoding.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A path segment is too long.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request could not be routed.'],
};

export function registerErrorHandler(app: FastifyInstance, translate: TranslateError): void {
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(toServiceError(error, translate), request, reply),
  );
}

/** Handles errors that Fastify raises before routing; they never reach the error handler. */
export function handleFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void sendError(
    toServiceError(error, () => undefined),
    request,
    reply,
  );
}

function toServiceError(error: FastifyError, translate: TranslateError): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error.validation !== undefined) return toValidationError({ ...error, validation: error.validation });
  const frameworkError = FRAMEWORK_ERRORS[error.code];
  if (frameworkError !== undefined) return new ServiceError(...frameworkError, { cause: error });
  // Whatever else Fastify itself blames on the request.
  if (typeof error.code === 'string' && error.code.startsWith('FST_') && (error.statusCode ?? 500) < 500)
    return new ServiceError('invalid_request', 'The request could not be read.', { cause: error });
  // The JSON parser rejects syntax errors and keys such as __proto__.
  if (error instanceof SyntaxError && error.statusCode === 400) {
    return new ServiceError('malformed_json', 'The body could not be parsed.', { cause: error });
  }
  return (
    translate(error) ??
    new ServiceError('internal', 'An unexpected error occurred. Include the request_id when you contact support.', {
      cause: error,
    })
  );
}

function sendError(error: ServiceError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status } = ERRORS[error.code];
  request.serviceError = error;
  // Repeats what the onRequest hook sets: some errors occur before any hook runs.
  reply.code(status).type(PROBLEM_TYPE).headers({ 'cache-control': 'no-store', 'x-request-id': request.id });
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  const { retryAfterSeconds = status === 503 ? 5 : undefined } = error.extras;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  return reply.send(JSON.stringify(toProblem(error, request.id)));
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Why the request failed, for the request log. */
    serviceError: ServiceError | null;
  }
}
