/** One call, without passwords, session ids and bodies. */
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

const MAX_ENTRIES = 10_000;
export const REDACTED = '(redacted)';

export class RequestLog {
  #entries: LoggedRequest[] = [];

  add(entry: LoggedRequest): void {
    this.#entries.push(entry);
    if (this.#entries.length > MAX_ENTRIES) this.#entries = this.#entries.slice(-MAX_ENTRIES / 2);
  }

  list(): readonly LoggedRequest[] {
    return [...this.#entries];
  }

  clear(): void {
    this.#entries = [];
  }
}

/** Redacts a text that is or contains a secret, because clients can send a password or session id in any field. */
export const redactSecrets = (
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
