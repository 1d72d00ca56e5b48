import { inspect } from 'node:util';

/** A password or a key. Printing, logging or serializing it shows `***`; only `reveal` returns the text. */
export class Hidden {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [inspect.custom](): string {
    return '***';
  }
}
