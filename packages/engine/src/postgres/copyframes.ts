// Takes the bytes of a replication connection apart before pg does.
//
// pg's parser joins each message in a buffer that it grows and moves, and hands out slices of it: a slice kept beyond
// the next packet can be overwritten. So the socket's bytes come here first.
// 1. Every message but CopyData is passed on to pg as one whole piece; they are few and small.
// 2. WAL inside CopyData is handed on in pieces as they arrive, never joined and never copied. A piece is a slice of the
//    chunk that Node read, which nobody writes to again: it is safe to keep for as long as one likes.
// 3. So is the content of the archives of a base backup, which come as CopyData of other kinds.
// Invariant: installed at a message boundary, when the session is idle.

import type { Duplex } from 'node:stream';
import type { Client } from 'pg';
import { lsn, type Lsn } from './lsn.ts';

export interface CopyListener {
  /** CopyBothResponse: streaming begins. */
  started(): void;
  /** `isLast`: nothing that is told later lies in the same memory, which is nobody else's. */
  wal(start: Lsn, end: Lsn, sentAt: Date, bytes: Uint8Array, isLast: boolean): void;
  keepalive(end: Lsn, sentAt: Date, replyRequested: boolean): void;
  /** CopyDone: the server sends no more WAL. */
  done(): void;
  /** A CopyData message of a kind that is neither. */
  unknown(kind: number): void;
}

/** For what BASE_BACKUP sends. */
export interface ArchiveListener {
  /** An archive begins: `base.tar`, or one of a tablespace, with where that lies. */
  archive(name: string, location: string): void;
  /** A piece of the archive. */
  data(bytes: Buffer): void;
}

export interface CopyFrames {
  /** Whom copy messages are told to; they are dropped while it is undefined. */
  listener: CopyListener | undefined;
  archives: ArchiveListener | undefined;
}

/** Puts itself between the socket of `client`, which must be connected and idle, and pg. */
export function tapCopyFrames(client: Client): CopyFrames {
  const socket: Duplex = client.connection.stream;
  const parsers = socket.listeners('data');
  socket.removeAllListeners('data');
  const framer = new Framer((message) => {
    for (const parser of parsers) parser.call(socket, message);
  });
  socket.on('data', (chunk: Buffer) => framer.feed(chunk));
  return framer;
}

/** The moment of a time stamp of PostgreSQL: microseconds since 2000. */
export const fromTimestamp = (microseconds: bigint): Date => new Date(Number(microseconds / 1000n) + EPOCH_2000_MS);
export const toTimestamp = (milliseconds: number): bigint => BigInt(Math.round(milliseconds - EPOCH_2000_MS)) * 1000n;

const EPOCH_2000_MS = 946_684_800_000;

const COPY_BOTH = 0x57; // W
const COPY_DATA = 0x64; // d
const COPY_DONE = 0x63; // c
const WAL_DATA = 0x77; // w
const KEEPALIVE = 0x6b; // k
const ARCHIVE_BEGIN = 0x6e; // n
const ARCHIVE_DATA = 0x64; // d
const ARCHIVE_PROGRESS = 0x70; // p

const MESSAGE_HEAD = 5;
const WAL_HEAD = MESSAGE_HEAD + 25;
const KEEPALIVE_HEAD = MESSAGE_HEAD + 18;

type Body = 'pass' | 'wal' | 'archive-begin' | 'archive' | 'drop';

class Framer implements CopyFrames {
  listener: CopyListener | undefined;
  archives: ArchiveListener | undefined;
  readonly #pass: (message: Buffer) => void;
  readonly #head = Buffer.alloc(WAL_HEAD);
  #headLength = 0;
  /** How many bytes of the message must be in `#head` before it is known what to do with the rest. */
  #headNeeded = MESSAGE_HEAD;
  /** Bytes of the message that are still to come. */
  #remaining = 0;
  /** What becomes of the rest of the message: undefined while the head is being read. */
  #body: Body | undefined;
  #pieces: Buffer[] = [];
  #position = 0n;
  #end = lsn(0n);
  #sentAt = new Date(0);

  constructor(pass: (message: Buffer) => void) {
    this.#pass = pass;
  }

  feed(chunk: Buffer): void {
    // What Node reads from a socket has memory of its own; what it keeps in a pool never fills all of it.
    const isOwn = chunk.length === chunk.buffer.byteLength;
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#body === undefined) {
        const taken = Math.min(this.#headNeeded - this.#headLength, chunk.length - offset);
        chunk.copy(this.#head, this.#headLength, offset, offset + taken);
        this.#headLength += taken;
        offset += taken;
        if (this.#headLength === this.#headNeeded) this.#readHead();
      } else {
        const taken = Math.min(this.#remaining, chunk.length - offset);
        offset += taken;
        this.#takeBody(chunk.subarray(offset - taken, offset), isOwn && offset === chunk.length);
      }
    }
  }

  #readHead(): void {
    const head = this.#head;
    const bodyLength = head.readUInt32BE(1) - 4;
    if (head[0] !== COPY_DATA || bodyLength === 0) return this.#begin('pass', bodyLength);
    if (this.#headLength === MESSAGE_HEAD) {
      this.#headNeeded = MESSAGE_HEAD + 1;
      return;
    }
    const kind = head.readUInt8(MESSAGE_HEAD);
    const needed = kind === WAL_DATA ? WAL_HEAD : kind === KEEPALIVE ? KEEPALIVE_HEAD : this.#headLength;
    if (this.#headLength < needed && bodyLength >= needed - MESSAGE_HEAD) {
      this.#headNeeded = needed;
      return;
    }
    const rest = bodyLength - (this.#headLength - MESSAGE_HEAD);
    if (this.#headLength === WAL_HEAD && kind === WAL_DATA) {
      this.#position = head.readBigUInt64BE(MESSAGE_HEAD + 1);
      this.#end = lsn(head.readBigUInt64BE(MESSAGE_HEAD + 9));
      this.#sentAt = fromTimestamp(head.readBigInt64BE(MESSAGE_HEAD + 17));
      this.#begin('wal', rest);
    } else if (this.#headLength === KEEPALIVE_HEAD && kind === KEEPALIVE) {
      const end = lsn(head.readBigUInt64BE(MESSAGE_HEAD + 1));
      const sentAt = fromTimestamp(head.readBigInt64BE(MESSAGE_HEAD + 9));
      this.listener?.keepalive(end, sentAt, head[MESSAGE_HEAD + 17] === 1);
      this.#begin('drop', rest);
    } else if (this.archives !== undefined && kind === ARCHIVE_DATA) {
      this.#begin('archive', rest);
    } else if (this.archives !== undefined && kind === ARCHIVE_BEGIN) {
      this.#begin('archive-begin', rest);
    } else {
      if (kind !== ARCHIVE_PROGRESS) this.listener?.unknown(kind);
      this.#begin('drop', rest);
    }
  }

  #begin(body: Body, remaining: number): void {
    this.#body = body;
    this.#remaining = remaining;
    if (body === 'pass') this.#pieces.push(Buffer.from(this.#head.subarray(0, MESSAGE_HEAD)));
    if (remaining === 0) this.#finish();
  }

  #takeBody(bytes: Buffer, isLast: boolean): void {
    this.#remaining -= bytes.length;
    if (this.#body === 'wal') {
      this.listener?.wal(lsn(this.#position), this.#end, this.#sentAt, bytes, isLast);
      this.#position += BigInt(bytes.length);
    } else if (this.#body === 'archive') {
      this.archives?.data(bytes);
    } else if (this.#body === 'pass' || this.#body === 'archive-begin') {
      this.#pieces.push(bytes);
    }
    if (this.#remaining === 0) this.#finish();
  }

  #finish(): void {
    const passed = this.#body === 'pass' ? Buffer.concat(this.#pieces) : undefined;
    const begins = this.#body === 'archive-begin' ? Buffer.concat(this.#pieces) : undefined;
    this.#body = undefined;
    this.#pieces = [];
    this.#headLength = 0;
    this.#headNeeded = MESSAGE_HEAD;
    if (begins !== undefined) {
      const [name = '', location = ''] = begins.toString('utf8').split('\0');
      this.archives?.archive(name, location);
    }
    if (passed === undefined) return;
    this.#pass(passed);
    if (passed[0] === COPY_BOTH) this.listener?.started();
    else if (passed[0] === COPY_DONE) this.listener?.done();
  }
}
