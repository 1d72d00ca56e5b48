import type { Dispatcher } from 'undici';
import type { Environment } from '../domain/environment.js';
import type { AnswerClass } from './answers.js';
import { type Admission, Circuit, type CircuitRules } from './circuit.js';
import { type Action, classifyRefusal } from './classify.js';
import type { Deadline } from './deadline.js';
import { type Charset, readDocument, type WireObject } from './document.js';
import { BiotrackError } from './errors.js';
import type { BiotrackEvent } from './events.js';
import { REFUSAL_CLASSES } from './refusals.js';
import { type CallKind, type RetryRules, toRetryAfterMs, toRetryDelay } from './retry.js';
import type { RowReading } from './rows.js';
import { exchange, type HttpAnswer, type HttpRequest } from './transport.js';
import { TROUBLE_CLASSES } from './troubles.js';
import { UnknownTexts } from './unknown-texts.js';

/** What a dialect makes of a JSON object: accepted, refused (in words, perhaps), or neither. */
export type Reading =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly text: string | undefined; readonly code: string | undefined }
  | { readonly kind: 'unclear' };

/** One call in BioTrack's terms. */
export interface UpstreamCall extends Omit<HttpRequest, 'origin' | 'action'> {
  readonly action: Action;
  readonly kind: CallKind;
  readonly state: string;
  readonly environment: Environment;
  readonly maxBodyBytes: number;
  readonly charset: Charset;
  /** What must not be recognizable in anything that is told of the call. */
  readonly secrets: readonly string[];
  read(object: WireObject, status: number): Reading;
  /** Of a list: what is made of each row before it is given back. */
  readonly rows?: RowReading | undefined;
}

export interface UpstreamOptions {
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  readonly connectMs: number;
  readonly headMs: number;
  readonly circuit: CircuitRules;
  readonly retry: RetryRules;
  readonly now: () => number;
  readonly random: () => number;
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onEvent: (event: BiotrackEvent) => void;
}

/** One host: its connections, its circuit, and the rules by which it is asked again. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #circuit: Circuit;
  readonly #unknownTexts = new UnknownTexts();

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#circuit = new Circuit(options.circuit, (kind) => options.onEvent({ kind, origin: options.origin }));
  }

  /** The answer, accepted; or a BiotrackError; or, if the caller went away, his signal's reason. */
  async call(call: UpstreamCall, deadline: Deadline): Promise<WireObject> {
    const { retry, random, delay } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(call, deadline, attempt);
      } catch (error) {
        if (!(error instanceof BiotrackError)) throw error;
        const waitMs = toRetryDelay(error, call.kind, attempt, retry, random);
        // No wait that leaves no time: what is known now is better than "too slow".
        if (waitMs === undefined || waitMs >= deadline.remainingMs) throw error;
        await delay(waitMs, deadline.signal);
      }
    }
  }

  async #attempt(call: UpstreamCall, deadline: Deadline, attempt: number): Promise<WireObject> {
    const { action } = call;
    const admission = this.#circuit.admit(this.#options.now());
    if (admission.kind === 'refused') throw toRefusedAdmission(admission, action);
    const startedAt = performance.now();
    let bytes = 0;
    const finished = (outcome: 'ok' | 'aborted' | BiotrackError): void => {
      const isError = outcome instanceof BiotrackError;
      this.#options.onEvent({
        kind: 'call_finished',
        state: call.state,
        environment: call.environment,
        action,
        outcome: isError ? outcome.reason : outcome,
        answer: isError ? outcome.answer : undefined,
        durationMs: performance.now() - startedAt,
        bytes,
        attempt,
      });
    };
    try {
      const { connectMs, headMs, origin, dispatcher } = this.#options;
      const request = { action, origin, path: call.path, method: call.method, headers: call.headers, body: call.body };
      const limits = { connectMs, headMs, maxBodyBytes: call.maxBodyBytes };
      const answer = await exchange(dispatcher, request, limits, deadline);
      bytes = answer.body.length;
      const object = await this.#interpret(call, answer);
      this.#circuit.succeeded(action);
      finished('ok');
      return object;
    } catch (error) {
      if (!(error instanceof BiotrackError)) {
        this.#circuit.left(admission.isTrial);
        finished('aborted');
        throw error;
      }
      if (isIllness(error)) this.#circuit.failed(action, admission.isTrial, this.#options.now());
      else this.#circuit.succeeded(action);
      finished(error);
      throw error;
    }
  }

  /** What a whole answer means: its words first, then its status, then its shape. */
  async #interpret(call: UpstreamCall, { status, body, retryAfter }: HttpAnswer): Promise<WireObject> {
    const { action } = call;
    const retryAfterMs = toRetryAfterMs(retryAfter, this.#options.now());
    const fail = (answer: AnswerClass): BiotrackError => new BiotrackError(answer, { action, retryAfterMs });
    if (status === 429 && retryAfterMs !== undefined) this.#circuit.pause(this.#options.now() + retryAfterMs);
    if (status >= 300 && status < 400) throw fail(TROUBLE_CLASSES.redirect);
    const document = await readDocument(body, call.charset, call.rows);
    const reading = document.kind === 'object' ? call.read(document.object, status) : undefined;
    if (reading?.kind === 'refused') {
      const { refusal, privilege } = classifyRefusal({ action, text: reading.text, code: reading.code, status });
      if (refusal.id === REFUSAL_CLASSES.unknown.id && status !== 429)
        this.#countUnknown(call, reading.text ?? `code ${reading.code}`);
      // A broken or busy server refuses everything, in whatever words: only words that are known are believed then.
      const isSure =
        (status < 500 && status !== 429) || (refusal.isBare !== true && refusal.id !== REFUSAL_CLASSES.unknown.id);
      if (isSure) throw new BiotrackError(refusal, { action, privilege, retryAfterMs });
    }
    if (status === 429) throw fail(TROUBLE_CLASSES.throttled);
    if (status >= 500) throw fail(TROUBLE_CLASSES.serverError);
    if (status >= 400) throw fail(TROUBLE_CLASSES.clientError);
    if (status !== 200) throw fail(TROUBLE_CLASSES.oddStatus);
    if (document.kind === 'trouble') throw fail(document.trouble);
    if (reading?.kind !== 'accepted') throw fail(TROUBLE_CLASSES.noAnswer);
    return document.object;
  }

  #countUnknown(call: UpstreamCall, text: string): void {
    const label = this.#unknownTexts.toLabel(text, call.secrets);
    this.#options.onEvent({ kind: 'unknown_text', state: call.state, action: call.action, label });
  }
}

const ILL: ReadonlySet<string> = new Set(['upstream_timeout', 'upstream_unreachable', 'upstream_invalid_response']);

/** A list that has outgrown its cap says nothing about the health of the host. */
const isIllness = (error: BiotrackError): boolean =>
  ILL.has(error.reason) && error.answer !== TROUBLE_CLASSES.tooLarge.id;

const toRefusedAdmission = (admission: Admission & { kind: 'refused' }, action: Action): BiotrackError =>
  new BiotrackError(admission.because === 'open' ? TROUBLE_CLASSES.circuitOpen : TROUBLE_CLASSES.throttledBefore, {
    action,
    retryAfterMs: admission.waitMs,
  });
