import type { components } from './generated/v1.js';
import { toPrintable } from './terminal.js';

export type ApiProblem = components['schemas']['Problem'];

interface CliErrorOptions {
  readonly title: string;
  readonly detail: string;
  /** The API's error code, or one of this command. */
  readonly code: string;
  readonly status?: number;
  readonly requestId?: string;
}

/** Why a step failed, with texts for the user. */
export class CliError extends Error {
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;

  constructor({ title, detail, code, status, requestId }: CliErrorOptions) {
    super(`${title}: ${detail}`);
    this.name = 'CliError';
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

/** Converts an error response. A response without a problem document comes from another server. */
export function toCliError(response: Response, body: unknown): CliError {
  const { status, headers } = response;
  const requestId = headers.get('x-request-id') ?? undefined;
  if (!isProblem(body)) {
    return new CliError({
      title: 'Response is not from biotrack-connect',
      detail: `HTTP ${status}. Check the base URL, and any proxy in front of the service.`,
      code: 'unexpected_response',
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

const NETWORK_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host name lookup failed',
  ECONNRESET: 'connection closed',
  UND_ERR_SOCKET: 'connection closed',
};

/** Converts a network error of fetch; undefined for other errors. */
export function toNetworkError(error: unknown, baseUrl: string): CliError | undefined {
  if (!(error instanceof Error)) return undefined;
  const title = `The service at ${baseUrl} cannot be reached`;
  if (error.name === 'TimeoutError') {
    return new CliError({ title, detail: 'no response in time', code: 'timeout' });
  }
  // The messages of fetch for errors before and during a response.
  if (error.message !== 'fetch failed' && error.message !== 'terminated') return undefined;
  const { code } = (error.cause ?? {}) as { readonly code?: unknown };
  const cause = typeof code === 'string' ? code : 'no connection';
  return new CliError({ title, detail: NETWORK_ERRORS[cause] ?? cause, code: 'unreachable' });
}
