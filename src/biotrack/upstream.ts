import type { Dispatcher } from 'undici';
import type { Environment } from '../domain/environment.js';
import { ANSWERS, type ResponseBody } from './answers.js';
import { type Admission, Circuit, type CircuitRules } from './circuit.js';
import { type Action, classifyResponse } from './classify.js';
import type { Deadline } from './deadline.js';
import { type Charset, parseDocument, type WireObject } from './document.js';
import { BiotrackError } from './errors.js';
import type { BiotrackEvent } from './events.js';
import { type CallKind, type RetryRules, toRetryAfterMs, toRetryDelay } from './retry.js';
import type { RowMapping } from './rows.js';
import { COMMON_HEADERS, type HttpRequest, type HttpResponse, sendRequest } from './transport.js';
import { type RefusalText, TextLabels, toRefusalText } from './unknown-texts.js';

export interface UpstreamCall extends Omit<HttpRequest, 'origin' | 'action'> {
  readonly action: Action;
  readonly kind: CallKind;
  readonly state: string;
  readonly environment: Environment;
  readonly maxBodyBytes: number;
  readonly charset: Charset;
  /** Removed from texts of BioTrack. */
  readonly secrets: readonly string[];
  /** Whether the response is a success or a refusal in the call's dialect. */
  toResponseBody(object: WireObject, status: number): ResponseBody;
  /** For lists: how to convert each row while the response is parsed. */
  readonly rows?: RowMapping | undefined;
}

export interface UpstreamOptions {
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  readonly connectMs: number;
  readonly headersMs: number;
  readonly circuit: CircuitRules;
  readonly retry: RetryRules;
  /** Milliseconds of a monotonic clock, for the circuit. */
  readonly now: () => number;
  /** Milliseconds since 1970, for a `Retry-After` that is a date. */
  readonly wallClock: () => number;
  readonly random: () => number;
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onEvent: (event: BiotrackEvent) => void;
}

/** One BioTrack host, with its connections, its circuit and its retries. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #circuit: Circuit;
  readonly #labels = new TextLabels();

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#circuit = new Circuit(options.circuit, (kind, action) =>
      options.onEvent({ kind, origin: options.origin, action }),
    );
  }

  /**
   * The successful response.
   * @throws BiotrackError, or the reason of the caller's signal if the caller aborted
   */
  async call(call: UpstreamCall, deadline: Deadline): Promise<WireObject> {
    const { retry, random, delay } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(call, deadline, attempt);
      } catch (error) {
        if (!(error instanceof BiotrackError)) throw error;
        const waitMs = toRetryDelay(error, call.kind, attempt, retry, random);
        // A wait beyond the deadline would only replace this error by "deadline exceeded".
        if (waitMs === undefined || waitMs >= deadline.remainingMs) throw error;
        await delay(waitMs, deadline.signal);
      }
    }
  }

  async #attempt(call: UpstreamCall, deadline: Deadline, attempt: number): Promise<WireObject> {
    const { action } = call;
    const admission = this.#circuit.admit(action, this.#options.now());
    if (admission.kind === 'rejected') throw toNotSentError(admission, action);
    const startedAt = performance.now();
    let bytes = 0;
    let httpStatus: number | undefined;
    const emitFinished = (result: 'ok' | 'aborted' | BiotrackError): void => {
      const isError = result instanceof BiotrackError;
      this.#options.onEvent({
        kind: 'call_finished',
        state: call.state,
        environment: call.environment,
        action,
        outcome: isError ? result.reason : result,
        answer: isError ? result.answer : undefined,
        httpStatus,
        code: isError ? result.evidence.code : undefined,
        durationMs: performance.now() - startedAt,
        bytes,
        attempt,
      });
    };
    try {
      const { connectMs, headersMs, origin, dispatcher } = this.#options;
      const headers = { ...COMMON_HEADERS, ...call.headers };
      const request = { action, origin, path: call.path, method: call.method, headers, body: call.body };
      const limits = { connectMs, headersMs, maxBodyBytes: call.maxBodyBytes };
      const response = await sendRequest(dispatcher, request, limits, deadline);
      bytes = response.body.length;
      httpStatus = response.status;
      const object = await this.#parse(call, response);
      this.#circuit.recordSuccess(action);
      emitFinished('ok');
      return object;
    } catch (error) {
      if (!(error instanceof BiotrackError)) {
        this.#circuit.recordAbort(action, admission.isProbe);
        emitFinished('aborted');
        throw error;
      }
      if (isOutage(error)) this.#circuit.recordFailure(action, admission.isProbe, this.#options.now());
      else this.#circuit.recordSuccess(action);
      emitFinished(error);
      throw error;
    }
  }

  async #parse(call: UpstreamCall, { status, body, retryAfter }: HttpResponse): Promise<WireObject> {
    const { action } = call;
    const retryAfterMs = toRetryAfterMs(retryAfter, this.#options.wallClock());
    if (status === 429 && retryAfterMs !== undefined) this.#circuit.pauseUntil(this.#options.now() + retryAfterMs);
    const document = await parseDocument(body, call.charset, call.rows);
    const parsed = document.kind === 'object' ? call.toResponseBody(document.object, status) : document;
    const classified = classifyResponse({ action, status, body: parsed });
    if (classified !== undefined) {
      const { answer, privilege } = classified;
      const refusal = parsed.kind === 'refused' ? toRefusalText(parsed, call.secrets) : undefined;
      if (refusal !== undefined && UNKNOWN_TEXTS.has(answer.id)) this.#reportUnknownText(call, refusal);
      throw new BiotrackError(answer, { action, privilege, retryAfterMs, httpStatus: status, refusal });
    }
    if (document.kind !== 'object')
      throw new BiotrackError(ANSWERS.unexpectedJson, { action, retryAfterMs, httpStatus: status });
    return document.object;
  }

  #reportUnknownText({ state, action }: UpstreamCall, { text, label }: RefusalText): void {
    this.#options.onEvent({ kind: 'unknown_text', state, action, label: this.#labels.limit(label), text });
  }
}

const UNKNOWN_TEXTS: ReadonlySet<string> = new Set([
  ANSWERS.unknownText.id,
  ANSWERS.loginRefused.id,
  ANSWERS.loginRefusedText.id,
  ANSWERS.invalidLoginLocation.id,
  ANSWERS.serverError.id,
]);

const OUTAGES: ReadonlySet<string> = new Set(['upstream_timeout', 'upstream_unreachable']);
/** Responses that did not arrive as complete HTTP. */
const BROKEN_TRANSFERS: ReadonlySet<string> = new Set([ANSWERS.invalidHttp.id, ANSWERS.truncatedBody.id]);

/** A complete response comes from a host that works, even if it cannot be used. */
const isOutage = ({ reason, answer }: BiotrackError): boolean => OUTAGES.has(reason) || BROKEN_TRANSFERS.has(answer);

const toNotSentError = (admission: Admission & { kind: 'rejected' }, action: Action): BiotrackError =>
  new BiotrackError(admission.because === 'open' ? ANSWERS.circuitOpen : ANSWERS.retryAfterPending, {
    action,
    retryAfterMs: admission.waitMs,
  });
