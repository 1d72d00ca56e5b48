import pg from 'pg';

/** Database failures that the statement itself did not cause. */
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
  /** The transaction may or may not have been committed. */
  'commit_unknown',
] as const;
export type StorageError = (typeof STORAGE_ERRORS)[number];

/** The Postgres error codes that are handled: https://www.postgresql.org/docs/current/errcodes-appendix.html */
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
/** The pool had no free connection in time. */
const POOL_TIMEOUT_TEXT = 'timeout exceeded when trying to connect';

/**
 * The connection broke before the reply to a COMMIT arrived, so the transaction may have been committed. Callers that need to
 * know must read their data again.
 */
export class CommitUnknownError extends Error {}

/** Classifies an error; undefined for other kinds of errors. */
export function toStorageError(error: unknown): StorageError | undefined {
  if (error instanceof CommitUnknownError) return 'commit_unknown';
  if (error instanceof pg.DatabaseError) {
    const { code = '' } = error;
    return CODES[code] ?? CLASSES[code.slice(0, 2)];
  }
  if (error instanceof AggregateError) return error.errors.map(toStorageError).find((each) => each !== undefined);
  if (!(error instanceof Error)) return undefined;
  if (error.message.startsWith(POOL_TIMEOUT_TEXT)) return 'too_many_connections';
  const errno = 'code' in error ? String(error.code) : '';
  const isUnreachable =
    UNREACHABLE_ERRNO.includes(errno) || UNREACHABLE_TEXTS.some((text) => error.message.startsWith(text));
  return isUnreachable ? 'unreachable' : undefined;
}

/** Whether the database failed for a reason of its own, so that a retry can succeed. */
export const isStorageUnavailable = (error: unknown): boolean => toStorageError(error) !== undefined;

/** Whether the connection broke, so that the result of the last statement is unknown. */
export function isConnectionLost(error: unknown): boolean {
  const storageError = toStorageError(error);
  return storageError === 'unreachable' || storageError === 'shutting_down';
}

/** The code of a database error. Unlike its message, it never contains the host or the username. */
export function toSqlState(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
}
