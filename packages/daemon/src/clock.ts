// Time as the service sees it. Tests hand in a clock of their own, and no wait of theirs is a wait.

export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves when `now()` has reached `at`, or the signal aborts. */
  readonly until: (at: number, signal: AbortSignal) => Promise<void>;
}

/** A wall clock may be set while somebody waits: no wait is longer than this, and whoever waits looks again. */
const WAIT_MS_MAX = 30_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  until: (at, signal) => wait(Math.max(0, Math.min(at - Date.now(), WAIT_MS_MAX)), signal),
};

/** By the machine's clock; ends at once, without an error, where the signal says so. */
export const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });

export const iso = (at: number): string => new Date(at).toISOString();
export const isoOrNull = (at: number | null | undefined): string | null =>
  at === null || at === undefined || !Number.isFinite(at) ? null : iso(at);
