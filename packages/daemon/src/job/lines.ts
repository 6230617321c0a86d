// What a command says while it works (`--json-lines`), read line by line: progress, notices, an error, its result as a person reads
// it, and whatever else.
//
// 1. A line is text until it has proved to be one of ours: a crash prints a stack, a library a warning. That is kept as
//    `output`, and nothing that a child prints can pass for an event of the service.
// 2. Lines, and what is kept of them, have a longest length; what is beyond is cut off.
// 3. Control characters are replaced: what a server's error or a file's name brings along must not move a reader's cursor.

import { StringDecoder } from 'node:string_decoder';
import type { JobErrorDocument } from '@spillway/contract';

export interface SaidProgress {
  readonly kind: 'progress';
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number | null;
  readonly detail: string | null;
}

export interface SaidLine {
  readonly kind: 'line';
  readonly level: 'info' | 'warning' | 'output';
  readonly message: string;
}

export interface SaidError {
  readonly kind: 'error';
  readonly error: JobErrorDocument;
}

export interface SaidResult {
  readonly kind: 'result';
  readonly text: string;
}

export type Said = SaidProgress | SaidLine | SaidError | SaidResult;

const LINE_MAX = 64 * 1024;
const MESSAGE_MAX = 4000;

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #take: (line: string) => void;
  #rest = '';
  /** In a line of which the beginning was given already. */
  #skips = false;

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  push(piece: Buffer): void {
    this.#add(this.#decoder.write(piece));
  }

  end(): void {
    this.#add(this.#decoder.end());
    if (this.#rest !== '' && !this.#skips) this.#take(this.#rest);
    this.#rest = '';
  }

  #add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!this.#skips) this.#take(line.slice(0, LINE_MAX));
      this.#skips = false;
    }
    if (this.#rest.length > LINE_MAX) {
      if (!this.#skips) this.#take(this.#rest.slice(0, LINE_MAX));
      this.#skips = true;
      this.#rest = '';
    }
  }
}

/** Undefined for a line with nothing in it. */
export function readLine(line: string): Said | undefined {
  const text = line.trim();
  if (text === '') return undefined;
  const output = (): SaidLine => ({ kind: 'line', level: 'output', message: plainText(text) });
  if (!text.startsWith('{')) return output();
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return output();
  }
  if (typeof said !== 'object' || said === null) return output();
  const fields = said as Readonly<Record<string, unknown>>;
  switch (fields['type']) {
    case 'progress': {
      const done = byteCount(fields['done_bytes']);
      if (typeof fields['phase'] !== 'string' || done === null) return output();
      return {
        kind: 'progress',
        phase: plainText(fields['phase']),
        doneBytes: done,
        totalBytes: byteCount(fields['total_bytes']),
        detail: textOrNull(fields['detail']),
      };
    }
    case 'notice': {
      if (typeof fields['message'] !== 'string') return output();
      const level = fields['level'] === 'warning' ? 'warning' : 'info';
      return { kind: 'line', level, message: plainText(fields['message']) };
    }
    case 'error': {
      const { code, message, why, hint } = fields;
      if (typeof code !== 'string' || !/^SPW_[A-Z_]{1,60}$/.test(code) || typeof message !== 'string') return output();
      return {
        kind: 'error',
        error: { code, message: plainText(message), why: textOrNull(why), hint: textOrNull(hint) ?? '' },
      };
    }
    case 'result':
      return typeof fields['text'] === 'string'
        ? { kind: 'result', text: plainText(fields['text'], LINE_MAX) }
        : output();
    default:
      return output();
  }
}

const byteCount = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? plainText(value) : null);

/** Without control characters but line ends, and not longer than is kept. */
export function plainText(text: string, most = MESSAGE_MAX): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replaceAll('\t', ' ').replaceAll(UNSEEN, '\ufffd');
}

/** What is not seen and moves what is: controls but the line's end, separators of lines, and turns of direction. */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- those are what it is about
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
