import type { Environment } from '../domain/environment.js';
import type { UpstreamReason } from '../domain/failure-reason.js';
import type { Action } from './classify.js';

/**
 * For metrics and logs. Every member but `text` is a number, an origin of the states file, or from a bounded set of values.
 */
export type BiotrackEvent =
  | {
      readonly kind: 'call_finished';
      readonly state: string;
      readonly environment: Environment;
      readonly action: Action;
      /** `aborted`: the caller canceled the call. */
      readonly outcome: 'ok' | 'aborted' | UpstreamReason;
      /** The id of the answer class; undefined for `ok` and `aborted`. */
      readonly answer: string | undefined;
      /** Undefined if the call failed before the response was complete. */
      readonly httpStatus: number | undefined;
      /** An error code of Node.js, undici or TLS. */
      readonly code: string | undefined;
      readonly durationMs: number;
      readonly bytes: number;
      /** Starts at 1. */
      readonly attempt: number;
    }
  | { readonly kind: 'circuit_opened' | 'circuit_closed'; readonly origin: string; readonly action: string }
  /** BioTrack refused a call with an unknown text. Equal texts have equal labels. */
  | {
      readonly kind: 'unknown_text';
      readonly state: string;
      readonly action: Action;
      readonly label: string;
      /** Without what was sent. For the log only. */
      readonly text: string;
    }
  /** A session was lost and a new login follows. */
  | { readonly kind: 'session_renewed'; readonly state: string; readonly environment: Environment };
