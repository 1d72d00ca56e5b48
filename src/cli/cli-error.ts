import { ConnectionError, ProblemError } from '#client';
import { toPrintable } from './terminal.js';

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

const NETWORK_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host name lookup failed',
  ECONNRESET: 'connection closed',
  UND_ERR_SOCKET: 'connection closed',
};

/** Converts an error of the client package; undefined for other errors, except those of this command. */
export function toCliError(error: unknown, baseUrl: string): CliError | undefined {
  if (error instanceof CliError) return error;
  if (error instanceof ProblemError) return toResponseError(error);
  return error instanceof ConnectionError ? toNetworkError(error, baseUrl) : undefined;
}

function toResponseError({ status, code, title, detail, errors, requestId, problem }: ProblemError): CliError {
  const request = requestId === undefined ? {} : { requestId };
  if (problem === undefined) {
    return new CliError({
      title: 'Response is not from biotrack-connect',
      detail: `HTTP ${status}. Check the base URL, and any proxy in front of the service.`,
      code,
      status,
      ...request,
    });
  }
  const parts = errors.map((each) => `${each.pointer} ${each.detail}`).join(', ');
  return new CliError({ title, detail: parts === '' ? detail : `${detail} [${parts}]`, code, status, ...request });
}

function toNetworkError({ reason, cause }: ConnectionError, baseUrl: string): CliError {
  const title = `The service at ${baseUrl} cannot be reached`;
  if (reason === 'timeout') return new CliError({ title, detail: 'no response in time', code: 'timeout' });
  const { code } = ((cause as Error | undefined)?.cause ?? {}) as { readonly code?: unknown };
  const name = typeof code === 'string' ? code : 'no connection';
  return new CliError({ title, detail: NETWORK_ERRORS[name] ?? name, code: 'unreachable' });
}
