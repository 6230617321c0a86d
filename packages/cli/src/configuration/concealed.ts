// A secret in memory that cannot be printed by accident: text, JSON and inspection all give `[secret]`.
// Only `reveal()` gives it, so every use of a secret can be found by that word.

import { inspect } from 'node:util';

export class Concealed {
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

  [inspect.custom](): string {
    return '[secret]';
  }
}
