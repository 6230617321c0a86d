// An answer that many want at the same moment, made once for all of them.
//
// 1. Whoever asks while it is being made, or within a moment after, gets the same.
// 2. What is told to have changed is made anew for the next who asks, also while the old one is still being made.
// 3. A failure goes to those who waited for it, and is not kept.

/** Too short for a person to see. */
const KEPT_MS = 250;

export class SharedAnswer<Answer> {
  readonly #make: () => Promise<Answer>;
  readonly #now: () => number;
  #kept: { readonly answer: Promise<Answer>; madeAt: number | undefined } | undefined;

  /** `now` in milliseconds, of a clock that nobody sets. */
  constructor(make: () => Promise<Answer>, now: () => number = () => performance.now()) {
    this.#make = make;
    this.#now = now;
  }

  async ask(): Promise<Answer> {
    const known = this.#kept;
    if (known !== undefined && (known.madeAt === undefined || this.#now() - known.madeAt < KEPT_MS))
      return known.answer;
    const kept: NonNullable<typeof known> = { answer: this.#make(), madeAt: undefined };
    this.#kept = kept;
    try {
      const answer = await kept.answer;
      kept.madeAt = this.#now();
      return answer;
    } catch (error) {
      if (this.#kept === kept) this.#kept = undefined;
      throw error;
    }
  }

  /** What it tells has changed. */
  forget(): void {
    this.#kept = undefined;
  }
}
