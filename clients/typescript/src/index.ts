export { type Client, type ClientOptions, createClient } from './client.js';
export {
  ConnectionError,
  type FailedRequest,
  isProblem,
  PageError,
  ProblemError,
  SyncTimeoutError,
  UnexpectedResponseError,
} from './errors.js';
export { parseEventStream, type ServerSentEvent } from './event-stream.js';
export { PROBLEM_CODES, type ProblemCode } from './generated/problem-codes.js';
export type { components, operations, paths } from './generated/v1.js';
export type { ApiCall, ApiResponse, BodyAt, OptionsAt, PathWith, ResultAt, Verb } from './operations.js';
export type { ItemAt, ListPath, PageAt } from './pages.js';
export type { RetryPolicy } from './retry-policy.js';
export type { SaveCall, SaveOptions, SaveResult, SettingPath } from './save.js';
export {
  type EventSourceConstructor,
  type EventSourceLike,
  type FollowSyncOptions,
  followSync,
} from './sync-event-source.js';
export type { SyncEvent, SyncEventOptions, SyncRun } from './sync-events.js';
export type { Retry } from './transport.js';
export { hasEnded, type WaitForSyncOptions } from './wait-for-sync.js';
