// How long one attempt may take: time for the answer, and for its bytes at the slowest rate that is still worth waiting
// for. Silence is noticed sooner, by the socket; this is the bound for a server that trickles.

/** Bytes a second. */
const SLOWEST = 64 * 1024;

export class Deadline implements Disposable {
  readonly #expiry = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly signal: AbortSignal;
  #endsAt: number;

  constructor(milliseconds: number, signal: AbortSignal | undefined) {
    this.#endsAt = performance.now() + milliseconds;
    this.signal = signal === undefined ? this.#expiry.signal : AbortSignal.any([signal, this.#expiry.signal]);
    const look = (): void => {
      if (performance.now() >= this.#endsAt) this.#expiry.abort(new Error('the request took too long'));
    };
    this.#timer = setInterval(look, Math.min(milliseconds, 1000));
  }

  /** Room for so many more bytes. */
  allow(bytes: number): void {
    this.extend((bytes / SLOWEST) * 1000);
  }

  extend(milliseconds: number): void {
    this.#endsAt += milliseconds;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
