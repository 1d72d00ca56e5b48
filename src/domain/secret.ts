/**
 * A password, key or token. Printing, logging, inspecting or serializing it yields `[secret]`. Only `reveal()` returns the
 * text, so a search for `reveal` finds every use of it.
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
