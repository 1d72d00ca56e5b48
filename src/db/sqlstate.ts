import pg from 'pg';

/** Why the database could not do what it was asked for, where that is no fault of the question. */
export const STORAGE_ERRORS = [
  'unreachable',
  'shutting_down',
  'too_many_connections',
  'disk_full',
  'out_of_resources',
  'system_error',
  'lock_timeout',
  'idle_timeout',
  'deadlock',
  'serialization_failure',
  /** It may have been done. */
  'commit_unknown',
] as const;
export type StorageError = (typeof STORAGE_ERRORS)[number];

/** Postgres' error codes that the house reacts to: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CODES: Readonly<Record<string, StorageError>> = {
  '53100': 'disk_full',
  '53300': 'too_many_connections',
  '55P03': 'lock_timeout',
  '25P03': 'idle_timeout',
  '40P01': 'deadlock',
  '40001': 'serialization_failure',
};
const CLASSES: Readonly<Record<string, StorageError>> = {
  '08': 'unreachable',
  '53': 'out_of_resources',
  '57': 'shutting_down',
  '58': 'system_error',
};
const UNREACHABLE_ERRNO = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
];
const UNREACHABLE_TEXTS = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed and is not queryable',
];
/** The pool had no connection to give in time. */
const POOL_TIMEOUT_TEXT = 'timeout exceeded when trying to connect';

/**
 * The connection broke before the answer to a commit came. "Error" is not "not committed": whoever has to know reads
 * again what he wrote.
 */
export class CommitUnknownError extends Error {}

/** Which of these an error is; undefined for any other error. */
export function toStorageError(error: unknown): StorageError | undefined {
  if (error instanceof CommitUnknownError) return 'commit_unknown';
  if (error instanceof pg.DatabaseError) {
    const { code = '' } = error;
    return CODES[code] ?? CLASSES[code.slice(0, 2)];
  }
  if (error instanceof AggregateError) return error.errors.map(toStorageError).find((fault) => fault !== undefined);
  if (!(error instanceof Error)) return undefined;
  if (error.message.startsWith(POOL_TIMEOUT_TEXT)) return 'too_many_connections';
  const errno = 'code' in error ? String(error.code) : '';
  const isUnreachable =
    UNREACHABLE_ERRNO.includes(errno) || UNREACHABLE_TEXTS.some((text) => error.message.startsWith(text));
  return isUnreachable ? 'unreachable' : undefined;
}

/** The database could not be reached, is shutting down, or has no room: not this request's fault, and worth a retry. */
export const isStorageUnavailable = (error: unknown): boolean => toStorageError(error) !== undefined;

/** Whether nobody is there any more who could have said what became of the last statement. */
export function isConnectionLost(error: unknown): boolean {
  const fault = toStorageError(error);
  return fault === 'unreachable' || fault === 'shutting_down';
}

/** The bare code of a database error, which holds nothing of the address or the login. */
export function toSqlState(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
}
