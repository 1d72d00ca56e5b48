import { type Client, createClient } from '#client';
import { type CliError, toCliError } from './cli-error.js';
import type { Hidden } from './hidden.js';

const MAX_RETRY_MS = 120_000;

/** The API's maximum. */
export const PAGE_SIZE = 500;

/** How often another caller may change a resource between our read and our write. */
export const MAX_RACES = 5;

export interface ApiClientOptions {
  readonly baseUrl: string;
  readonly apiKey: Hidden;
  /** The limit of the delays between the retries of one request. Defaults to two minutes, which is also the maximum. */
  readonly maxRetryMs?: number;
  readonly onRetry?: (delayMs: number, error: CliError) => void;
  /** Do not retry when there is no connection: the service is probably not running. */
  readonly isFirstContact?: boolean;
}

export function createApiClient({
  baseUrl,
  apiKey,
  maxRetryMs = MAX_RETRY_MS,
  onRetry = () => {},
  isFirstContact = false,
}: ApiClientOptions): Client {
  return createClient({
    baseUrl,
    token: () => apiKey.reveal(),
    retries: { maxTotalMs: Math.min(maxRetryMs, MAX_RETRY_MS), retryConnections: !isFirstContact },
    onRetry: ({ delayMs, error }) => {
      const shown = toCliError(error, baseUrl);
      if (shown !== undefined) onRetry(delayMs, shown);
    },
    // An operator may use an address of the service that differs from its public URL.
    ignorePageOrigin: true,
  });
}
