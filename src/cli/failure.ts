import type { components } from './generated/v1.js';
import { toPrintable } from './terminal.js';

export type ApiProblem = components['schemas']['Problem'];

interface FailureFacts {
  readonly title: string;
  readonly detail: string;
  /** The service's code, or one of our own; for machines. */
  readonly code: string;
  readonly status?: number;
  readonly requestId?: string;
}

/** Why a step could not be done, in words for a person. */
export class CliError extends Error {
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;

  constructor({ title, detail, code, status, requestId }: FailureFacts) {
    super(`${title}: ${detail}`);
    this.name = 'Failure';
    this.title = title;
    this.detail = detail;
    this.code = code;
    this.status = status;
    this.requestId = requestId;
  }

  override toString(): string {
    const request = this.requestId === undefined ? '' : `, request ${this.requestId}`;
    return toPrintable(`${this.title}: ${this.detail} (${this.code}${request})`);
  }
}

/** What the service refused, as it says it; anything that is no problem document is somebody else's answer. */
export function toCliError(response: Response, body: unknown): CliError {
  const { status, headers } = response;
  const requestId = headers.get('x-request-id') ?? undefined;
  if (!isProblem(body)) {
    return new CliError({
      title: 'This is no answer of biotrack-connect',
      detail: `HTTP ${status}. Is the base URL right, and is nothing in between?`,
      code: 'unexpected_answer',
      status,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
  const parts = (body.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`).join(', ');
  const detail = parts === '' ? body.detail : `${body.detail} [${parts}]`;
  return new CliError({ title: body.title, detail, code: body.code, status, requestId: body.request_id });
}

function isProblem(body: unknown): body is ApiProblem {
  if (typeof body !== 'object' || body === null) return false;
  const { code, title, detail } = body as Partial<Record<keyof ApiProblem, unknown>>;
  return typeof code === 'string' && typeof title === 'string' && typeof detail === 'string';
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be looked up',
  ECONNRESET: 'the connection was broken',
  UND_ERR_SOCKET: 'the connection was broken',
};

/** What the network said instead of an answer; undefined for an error that is not the network's. */
export function toNetworkError(error: unknown, baseUrl: string): CliError | undefined {
  if (!(error instanceof Error)) return undefined;
  const title = `The service at ${baseUrl} cannot be reached`;
  if (error.name === 'TimeoutError') {
    return new CliError({ title, detail: 'it did not answer in time', code: 'timeout' });
  }
  // How fetch says it, before the answer and in the middle of it.
  if (error.message !== 'fetch failed' && error.message !== 'terminated') return undefined;
  const { code } = (error.cause ?? {}) as { readonly code?: unknown };
  const word = typeof code === 'string' ? code : 'no connection';
  return new CliError({ title, detail: UNREACHABLE[word] ?? word, code: 'unreachable' });
}
