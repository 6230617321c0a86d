// How many requests of a thread run at a time: as many as the server takes, found as TCP finds its window.
//
// 1. Each answer adds one slot per full round of slots, up to the most that is configured.
// 2. A server that asks for less, or stays silent, halves them. Requests that had begun before the last cut tell nothing
//    new, so of many that fail together only the first cuts.
// 3. Whoever waits gets a slot in the order of coming, or leaves when aborted.

export class Gate {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #window: number;
  #running = 0;
  #cuts = 0;

  constructor(most: number) {
    this.#most = most;
    this.#window = most;
  }

  /** How many may run at a time now. */
  get width(): number {
    return Math.max(1, Math.floor(this.#window));
  }

  /** Runs `act` in a slot; `isOverload` tells of an error whether it asks for fewer. */
  async run<T>(act: () => Promise<T>, isOverload: (error: unknown) => boolean, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    const cutsBefore = this.#cuts;
    try {
      const result = await act();
      this.#window = widened(this.#window, this.#most);
      return result;
    } catch (error) {
      if (isOverload(error) && this.#cuts === cutsBefore) {
        this.#cuts++;
        this.#window = halved(this.#window);
      }
      throw error;
    } finally {
      this.#running--;
      this.#admit();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.width && this.#waiting.length === 0) {
      this.#running++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const admit = (): void => {
      this.#running++;
      resolve();
    };
    const leave = (): void => {
      const place = this.#waiting.indexOf(admit);
      if (place === -1) return;
      this.#waiting.splice(place, 1);
      reject(signal?.reason);
    };
    this.#waiting.push(admit);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #admit(): void {
    while (this.#running < this.width) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next();
    }
  }
}

export const widened = (window: number, most: number): number => Math.min(most, window + 1 / Math.max(1, window));

export const halved = (window: number): number => Math.max(1, window / 2);
