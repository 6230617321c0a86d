// What arrived from a socket and is not taken yet, bounded: the consumer's pace becomes the server's.
//
// 1. Past the limit the socket is no longer read, below half of it it is again; so memory is bounded, and the server feels
//    the back pressure. Only the bytes that `bytesOf` counts count: what is small must be few by itself.
// 2. Once finished, nothing more is queued. What arrived before is still taken, then the error comes out, once.
// 3. While the socket is not read, the server cannot be blamed for its silence.
// Invariant: a queue that is empty has a socket that is read.

export interface SocketQueueOptions<Message> {
  readonly socket: { pause(): unknown; resume(): unknown };
  readonly bytesMax: number;
  readonly bytesOf: (message: Message) => number;
  readonly now?: () => number;
}

export class SocketQueue<Message> {
  readonly #options: SocketQueueOptions<Message>;
  readonly #now: () => number;
  #messages: Message[] = [];
  #bytes = 0;
  #paused = false;
  #finished: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;
  #heardAt: number;

  constructor(options: SocketQueueOptions<Message>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#heardAt = this.#now();
  }

  get isFinished(): boolean {
    return this.#finished !== undefined;
  }

  /** The one that arrived last, while it is not taken. */
  get last(): Message | undefined {
    return this.#messages.at(-1);
  }

  push(message: Message): void {
    this.heard();
    if (this.#finished !== undefined) return;
    this.#messages.push(message);
    this.#bytes += this.#options.bytesOf(message);
    if (!this.#paused && this.#bytes > this.#options.bytesMax) {
      this.#paused = true;
      this.#options.socket.pause();
    }
    this.#wake?.();
  }

  /** Queues it in the place of `last`, which it makes superfluous. */
  replaceLast(message: Message): void {
    const last = this.#finished === undefined ? this.#messages.pop() : undefined;
    if (last !== undefined) this.#bytes -= this.#options.bytesOf(last);
    this.push(message);
  }

  /** Waits for one. Undefined at the end; throws the error that ended it, the first time. */
  async take(): Promise<Message | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#bytes -= this.#options.bytesOf(message);
        if (this.#bytes < this.#options.bytesMax / 2) this.#resume();
        return message;
      }
      if (this.#finished !== undefined) {
        const { error } = this.#finished;
        this.#finished = {};
        if (error !== undefined) throw error;
        return undefined;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Forgets what is queued, and reads the socket again: an answer of the server may come behind it. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#resume();
  }

  /** Only the first time counts. */
  finish(finished: { readonly error?: unknown } = {}): void {
    this.#finished ??= finished;
    this.#wake?.();
  }

  /** A sign of life that is not queued. */
  heard(): void {
    this.#heardAt = this.#now();
  }

  /** For how long the server has said nothing that could have been heard. */
  silentMs(): number {
    return this.#paused ? 0 : this.#now() - this.#heardAt;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.heard();
    this.#options.socket.resume();
  }
}
