// Progress and notices as JSON, one object a line, for --json-lines. The result stays on stdout, alone.
//
// A phase is told when it begins and then at most once a second; notices always, unless --quiet leaves out the plain ones.

import type { OperationEvent } from '@spillway/contract';
import type { ProgressDisplay } from './progress.ts';

export interface JsonProgressOptions {
  readonly write: (text: string) => void;
  readonly now: () => Date;
  /** Only warnings. */
  readonly quiet: boolean;
}

const EVERY_MS = 1000;

export function createJsonProgress({ write, now, quiet }: JsonProgressOptions): ProgressDisplay {
  let phase: string | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  let ended = false;

  const isWorthALine = (event: OperationEvent, at: number): boolean => {
    if (event.type === 'notice') return event.level === 'warning' || !quiet;
    if (quiet || (event.phase === phase && at - toldAt < EVERY_MS)) return false;
    phase = event.phase;
    toldAt = at;
    return true;
  };

  return {
    report: (event) => {
      const at = now();
      if (ended || !isWorthALine(event, at.getTime())) return;
      const { type, ...rest } = event;
      write(`${JSON.stringify({ type, at: at.toISOString(), ...rest })}\n`);
    },
    end: () => {
      ended = true;
    },
  };
}
