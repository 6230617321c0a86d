// A queue between somebody who makes tasks as data comes in and a crew that works on them.
//
// 1. `push` waits while as many tasks as the bound are queued or being worked on; `done` frees one place.
// 2. `end` says that no more will come; the crew then finishes what there is.
// 3. A task that must be worked on once more goes in by `again`: it has its place still, because it was never `done`.
// 4. `fail` wakes everybody who waits, with the error: nobody waits for a crew that has ended.
// Invariant: what is pushed and not done is at most the bound, so memory is the bound times a task.

import { NOT_YET } from './crew.ts';

export class TaskQueue<Task> implements Iterable<Task | typeof NOT_YET> {
  readonly #bound: number;
  readonly #queued: Task[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #unfinished = 0;
  #drained = Promise.withResolvers<void>();
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(bound: number) {
    this.#bound = bound;
  }

  /** For `onBegin` of a crew's work. */
  readonly onBegin = (wake: () => void): void => {
    this.#wake = wake;
  };

  /** Queues a task as soon as there is a place for it. Throws what the queue failed with. */
  async push(task: Task): Promise<void> {
    while (this.#failure === undefined && this.#unfinished >= this.#bound) {
      const turn = Promise.withResolvers<void>();
      this.#waiting.push(turn);
      await turn.promise;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#unfinished++;
    this.#queued.push(task);
    this.#wake();
  }

  /** Queues a task that holds the place of one that was worked on and is not done. */
  again(task: Task): void {
    this.#queued.push(task);
    this.#wake();
  }

  /** Settles when all that was pushed is done. Throws what the queue failed with. */
  async drained(): Promise<void> {
    while (this.#failure === undefined && this.#unfinished > 0) {
      this.#drained = Promise.withResolvers<void>();
      await this.#drained.promise;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** A task was worked on, and what it held in memory is free. */
  done(): void {
    this.#unfinished--;
    this.#waiting.shift()?.resolve();
    if (this.#unfinished === 0) this.#drained.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const turn of this.#waiting.splice(0)) turn.resolve();
    this.#drained.resolve();
  }

  [Symbol.iterator](): Iterator<Task | typeof NOT_YET> {
    return {
      next: () => {
        const task = this.#queued.shift();
        if (task !== undefined) return { done: false, value: task };
        return this.#ended ? { done: true, value: undefined } : { done: false, value: NOT_YET };
      },
    };
  }
}
