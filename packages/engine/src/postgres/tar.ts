// Takes the tar archives of BASE_BACKUP apart as their bytes come in: ustar, as PostgreSQL writes it
// (src/port/tar.c: plain files, folders and links, names of up to 99 bytes, numbers in octal or in base 256).
//
// `feed` takes any piece of the archive and gives what is in it; contents are slices of the piece, never copied.
// States: head (gathering the 512 bytes of one) -> content -> padding -> head again; two heads of zeros -> ended.
// Anything that PostgreSQL does not write is refused rather than guessed at: a file taken wrongly is a wrong backup.

import { SpillwayError } from '@spillway/contract';

export interface TarEntry {
  readonly kind: 'file' | 'directory' | 'link';
  /** Without `./` before and `/` behind. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** 0 for what is no file. */
  readonly bytes: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Of a link; empty otherwise. */
  readonly target: string;
}

export type TarPart =
  | { readonly kind: 'entry'; readonly entry: TarEntry }
  /** The next bytes of the entry told last. */
  | { readonly kind: 'content'; readonly bytes: Uint8Array };

export class TarReader {
  readonly #head = Buffer.alloc(BLOCK);
  #headLength = 0;
  #content = 0;
  #padding = 0;
  /** Heads of zeros seen; two are the end. */
  #zeros = 0;

  *feed(piece: Uint8Array): Generator<TarPart, void, undefined> {
    for (let at = 0; at < piece.byteLength; ) {
      const rest = piece.byteLength - at;
      if (this.#content > 0) {
        const taken = Math.min(this.#content, rest);
        this.#content -= taken;
        yield { kind: 'content', bytes: piece.subarray(at, at + taken) };
        at += taken;
      } else if (this.#padding > 0) {
        const taken = Math.min(this.#padding, rest);
        this.#padding -= taken;
        at += taken;
      } else {
        const taken = Math.min(BLOCK - this.#headLength, rest);
        this.#head.set(piece.subarray(at, at + taken), this.#headLength);
        this.#headLength += taken;
        at += taken;
        if (this.#headLength < BLOCK) continue;
        this.#headLength = 0;
        const entry = this.#readHead();
        if (entry === undefined) continue;
        this.#content = entry.bytes;
        this.#padding = (BLOCK - (entry.bytes % BLOCK)) % BLOCK;
        yield { kind: 'entry', entry };
      }
    }
  }

  /** Throws where the archive does not end here. */
  finish(): void {
    if (this.#zeros < 2 || this.#headLength > 0) throw strange('it is cut short');
  }

  #readHead(): TarEntry | undefined {
    if (this.#head.every((byte) => byte === 0)) {
      this.#zeros++;
      return undefined;
    }
    if (this.#zeros > 0) throw strange('something follows its end');
    return parseHead(this.#head);
  }
}

const BLOCK = 512;
const CHECKSUM = 148;
const CHECKSUM_BYTES = 8;
const KIND = 156;
const PREFIX = 345;

const kinds: ReadonlyMap<string, TarEntry['kind']> = new Map([
  ['0', 'file'],
  ['\0', 'file'],
  ['2', 'link'],
  ['5', 'directory'],
]);

function parseHead(head: Buffer): TarEntry {
  let sum = CHECKSUM_BYTES * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < CHECKSUM || at >= CHECKSUM + CHECKSUM_BYTES) sum += head.readUInt8(at);
  if (number(head, CHECKSUM, CHECKSUM_BYTES) !== sum) throw strange('the checksum of a head does not fit');
  const name = text(head, 0, 100);
  const type = head.toString('latin1', KIND, KIND + 1);
  const kind = kinds.get(type);
  if (kind === undefined) throw strange(`${name} is of the unknown type ${JSON.stringify(type)}`);
  if (head.readUInt8(PREFIX) !== 0) throw strange(`${name} has a prefix`);
  const path = name.replace(/^\.\//, '').replace(/\/$/, '');
  if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
    throw strange(`${JSON.stringify(name)} is no path inside a data directory`);
  }
  return {
    kind,
    path,
    mode: number(head, 100, 8) & 0o7777,
    uid: number(head, 108, 8),
    gid: number(head, 116, 8),
    bytes: kind === 'file' ? number(head, 124, 12) : 0,
    mtime: number(head, 136, 12),
    target: kind === 'link' ? text(head, 157, 100) : '',
  };
}

function text(head: Buffer, from: number, length: number): string {
  const end = head.indexOf(0, from);
  const bytes = head.subarray(from, end < 0 ? from + length : Math.min(end, from + length));
  const decoded = bytes.toString('utf8');
  // Where the name is not UTF-8 it would be restored under another.
  if (decoded.includes('\uFFFD')) throw strange(`the name ${JSON.stringify(decoded)} is not UTF-8`);
  return decoded;
}

/** Octal digits, or, with the highest bit set, the bytes of the number itself, for what is too large for them. */
function number(head: Buffer, from: number, length: number): number {
  if ((head.readUInt8(from) & 0x80) !== 0) {
    let value = BigInt(head.readUInt8(from) & 0x7f);
    for (let at = from + 1; at < from + length; at++) value = (value << 8n) | BigInt(head.readUInt8(at));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw strange(`it has the number ${value}`);
    return Number(value);
  }
  const digits = head.toString('latin1', from, from + length).replace(/[\0 ]+$/, '');
  if (!/^ *[0-7]*$/.test(digits)) throw strange(`it has the number ${JSON.stringify(digits)}`);
  return digits.trim() === '' ? 0 : Number.parseInt(digits, 8);
}

const strange = (why: string): SpillwayError =>
  new SpillwayError('SPW_POSTGRES_FAILED', 'the server sent an archive that could not be read', { why });
