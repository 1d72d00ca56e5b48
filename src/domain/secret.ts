/**
 * Text that must never be seen: a password, a key, a token. Printing, logging, inspecting or serialising it
 * gives `[secret]`; only `reveal()` gives the text, so that a search for that word finds every place that does.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
