import pg from 'pg';

/** Postgres' error codes that the house reacts to: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNAVAILABLE_CLASSES = ['08', '53', '57', '58'];
/** Waited too long for a lock; stood still for too long inside a transaction. */
const UNAVAILABLE_CODES = ['55P03', '25P03'];
const UNAVAILABLE_ERRNO = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
];
const UNAVAILABLE_TEXTS = [
  'timeout exceeded when trying to connect',
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed and is not queryable',
];

/** The database could not be reached, is shutting down, or has no room: not this request's fault, and worth a retry. */
export function isStorageUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    const { code = '' } = error;
    return UNAVAILABLE_CLASSES.includes(code.slice(0, 2)) || UNAVAILABLE_CODES.includes(code);
  }
  if (error instanceof AggregateError) return error.errors.some(isStorageUnavailable);
  if (!(error instanceof Error)) return false;
  const errno = 'code' in error ? String(error.code) : '';
  return UNAVAILABLE_ERRNO.includes(errno) || UNAVAILABLE_TEXTS.some((text) => error.message.startsWith(text));
}

/** The bare code of a database error, which holds nothing of the address or the login. */
export function toErrorCode(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
}
