// Ctrl-C and its like: the first signal asks the command to stop cleanly, the second ends the process at once.
// A wrapper or a service manager may deliver one signal twice, so a second within half a second counts as the same.

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
  /** The first signal that came. */
  readonly received: () => StopSignal | undefined;
}

const SAME_SIGNAL_MS = 500;

export function watchSignals(options: {
  readonly now: () => number;
  readonly onFirst: (signal: StopSignal) => void;
  readonly onSecond: (signal: StopSignal) => void;
}): Interruption {
  const controller = new AbortController();
  let first: { readonly signal: StopSignal; readonly at: number } | undefined;
  const receive = (signal: StopSignal): void => {
    const at = options.now();
    if (first === undefined) {
      first = { signal, at };
      options.onFirst(signal);
      controller.abort();
    } else if (at - first.at >= SAME_SIGNAL_MS) {
      options.onSecond(signal);
    }
  };
  process.on('SIGINT', receive);
  process.on('SIGTERM', receive);
  return {
    signal: controller.signal,
    received: () => first?.signal,
    [Symbol.dispose]: () => {
      process.off('SIGINT', receive);
      process.off('SIGTERM', receive);
    },
  };
}
