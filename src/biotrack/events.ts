import type { Environment } from '../domain/environment.js';
import type { UpstreamReason } from '../domain/failure-reason.js';
import type { Action } from './classify.js';

/** What happens at this door, for metrics and logs. Every member is from a closed list, a number, or a bounded label. */
export type BiotrackEvent =
  | {
      readonly kind: 'call_finished';
      readonly state: string;
      readonly environment: Environment;
      readonly action: Action;
      /** `aborted`: whoever asked does not want to know any more. */
      readonly outcome: 'ok' | 'aborted' | UpstreamReason;
      /** The row of the classification table; `ok` and `aborted` have none. */
      readonly answer: string | undefined;
      readonly durationMs: number;
      readonly bytes: number;
      /** From 1. */
      readonly attempt: number;
    }
  | { readonly kind: 'circuit_opened' | 'circuit_closed'; readonly origin: string }
  /** BioTrack refused with a text that is not known here; the label tells texts apart, and nothing else. */
  | { readonly kind: 'unknown_text'; readonly state: string; readonly action: Action; readonly label: string }
  /** A session was lost, and a new login is tried. */
  | { readonly kind: 'session_renewed'; readonly state: string; readonly environment: Environment };
