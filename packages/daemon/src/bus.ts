// Events of the service, for whoever listens in this process: the streams of the API, and whatever counts or notifies.
//
// 1. An event gets the next number. The newest are kept, so that a listener that comes back is told what it missed, or told
//    that it missed more than is kept.
// 2. A listener that throws is a fault of the program: it is told to `onFault`, and the others still hear.

import type { ServiceEvent } from '@spillway/contract';

export interface Numbered {
  readonly id: number;
  readonly event: ServiceEvent;
}

export type Listener = (numbered: Numbered) => void;

const KEPT_MAX = 1000;

export class EventBus {
  readonly #listeners = new Set<Listener>();
  readonly #kept: Numbered[] = [];
  readonly #onFault: (error: unknown) => void;
  #next = 1;

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  publish(event: ServiceEvent): void {
    const numbered = { id: this.#next++, event };
    this.#kept.push(numbered);
    if (this.#kept.length > KEPT_MAX) this.#kept.shift();
    for (const listener of this.#listeners) {
      try {
        listener(numbered);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }

  /** Returns what ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What came after `id`; undefined where some of that is not kept any more. */
  since(id: number): readonly Numbered[] | undefined {
    const oldest = this.#kept[0]?.id ?? this.#next;
    if (id >= this.#next || id < oldest - 1) return undefined;
    return this.#kept.filter((each) => each.id > id);
  }
}
