/** One call, without secrets: never a password, never a session id, never a body. */
export interface LoggedRequest {
  readonly call: number;
  readonly method: string;
  readonly path: string;
  readonly action: string;
  readonly ubi: string | null;
  readonly username: string | null;
  readonly training: boolean;
  readonly nosession: boolean;
  readonly transactionStart: number | null;
  readonly transactionEnd: number | null;
  readonly contentType: string | null;
  readonly userAgent: string | null;
  readonly fault: string | null;
  readonly outcome: string;
  readonly status: number | null;
  readonly bytes: number;
}

const MOST_ENTRIES = 10_000;
export const REDACTED = '(redacted)';

export class RequestLog {
  #entries: LoggedRequest[] = [];

  add(entry: LoggedRequest): void {
    this.#entries.push(entry);
    if (this.#entries.length > MOST_ENTRIES) this.#entries = this.#entries.slice(-MOST_ENTRIES / 2);
  }

  list(): readonly LoggedRequest[] {
    return [...this.#entries];
  }

  clear(): void {
    this.#entries = [];
  }
}

/**
 * Clients put things where they do not belong: a password in the username, a session id in the action. A text that is
 * or holds a secret is not kept, whatever field it came in.
 */
export const withoutSecrets = (
  text: string | null,
  sent: readonly unknown[],
  isPassword: (text: string) => boolean,
): string | null => {
  if (text === null) return null;
  const isSecret =
    isPassword(text) ||
    /[0-9a-f]{128}/i.test(text) ||
    sent.some(
      (secret) =>
        typeof secret === 'string' &&
        secret !== '' &&
        (text === secret || (secret.length > 5 && text.includes(secret))),
    );
  return isSecret ? REDACTED : text.slice(0, 200);
};
