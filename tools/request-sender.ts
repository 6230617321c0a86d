// So many requests a second, sent whether those before were answered or not, at so little cost that it is the server that is measured.
//
// 1. They go down a few connections, one behind the other without waiting: HTTP/1.1 answers them in order (pipelining).
// 2. Of an answer only its status and its length are read. One without a length ends its connection, and is counted so.
// 3. A connection that breaks is not made anew: all that was asked of it, or is asked later, is counted by why it broke.
// Invariant: every request is counted once.

import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const CONNECTIONS = 32;
const TURN_MS = 10;
const HEAD_END = '\r\n\r\n';

export interface Sent {
  /** When all were sent, and when all were answered. */
  readonly sentMs: number;
  readonly answeredMs: number;
  /** By what they came to: a status, or the error's code. */
  readonly answers: ReadonlyMap<string, number>;
  /** Milliseconds to each answer. */
  readonly times: readonly number[];
}

export async function sendRequests(options: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly aSecond: number;
  readonly ms: number;
}): Promise<Sent> {
  const { hostname, port, host, pathname } = new URL(options.url);
  const lines = Object.entries({ host, ...options.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const connections = Array.from(
    { length: CONNECTIONS },
    () => new Connection(connect({ host: hostname, port: Number(port), noDelay: true }), request),
  );
  const began = performance.now();
  let sent = 0;
  for (let elapsed = 0; elapsed < options.ms; await pause(TURN_MS)) {
    elapsed = Math.min(options.ms, performance.now() - began);
    for (const due = Math.floor((elapsed / 1000) * options.aSecond); sent < due; sent++) {
      connections[sent % CONNECTIONS]?.ask();
    }
  }
  const sentMs = performance.now() - began;
  await Promise.all(connections.map((each) => each.answered()));
  const answeredMs = performance.now() - began;
  const answers = new Map<string, number>();
  for (const [answer, count] of connections.flatMap((each) => [...each.answers])) {
    answers.set(answer, (answers.get(answer) ?? 0) + count);
  }
  for (const each of connections) each.close();
  return { sentMs, answeredMs, answers, times: connections.flatMap((each) => each.times) };
}

class Connection {
  readonly answers = new Map<string, number>();
  readonly times: number[] = [];
  readonly #socket: Socket;
  readonly #request: Buffer;
  /** When those were sent that are not answered. */
  readonly #asked: number[] = [];
  #broken: string | undefined;
  #idle: (() => void) | undefined;
  /** Of an answer's head, and of its body the bytes that are still to come. */
  #head = '';
  #body = 0;

  constructor(socket: Socket, request: Buffer) {
    this.#socket = socket;
    this.#request = request;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#break(codeOf(error)));
    socket.on('close', () => this.#break('closed'));
  }

  ask(): void {
    this.#asked.push(performance.now());
    if (this.#broken === undefined) this.#socket.write(this.#request);
    else this.#count(this.#broken);
  }

  async answered(): Promise<void> {
    if (this.#asked.length > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#body > 0) {
        const taken = Math.min(this.#body, chunk.length - at);
        this.#body -= taken;
        at += taken;
        if (this.#body === 0) this.#count(this.#status());
        continue;
      }
      const from = this.#head.length;
      this.#head += chunk.toString('latin1', at);
      const end = this.#head.indexOf(HEAD_END, Math.max(0, from - HEAD_END.length));
      if (end < 0) return;
      this.#head = this.#head.slice(0, end);
      at += end + HEAD_END.length - from;
      const [, length] = /^content-length: (\d+)$/im.exec(this.#head) ?? [];
      if (length === undefined) return this.#break(`${this.#status()} without a length`);
      this.#body = Number(length);
      if (this.#body === 0) this.#count(this.#status());
    }
  }

  #status(): string {
    return /^HTTP\/1\.1 (\d{3})/.exec(this.#head)?.[1] ?? 'no status';
  }

  #count(answer: string): void {
    this.#head = '';
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    this.times.push(performance.now() - (this.#asked.shift() ?? 0));
    if (this.#asked.length === 0) this.#idle?.();
  }

  #break(why: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = why;
    this.#socket.destroy();
    while (this.#asked.length > 0) this.#count(why);
  }
}

export function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}
