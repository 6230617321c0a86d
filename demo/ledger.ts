// The notes of what was acknowledged, kept outside the database, and what they say after a disaster.
//
// 1. A commit is noted after the server acknowledged it: client, sequence, both clocks. Notes are held in memory and
//    appended to a file (not synced: it need not outlive the machine, only the database).
// 2. After a restore the rows of ingest_batch are compared with the notes. Acknowledged and not there: lost. There and
//    never acknowledged: the server vanished between commit and answer, which is no loss.
// 3. The recovery point is the acknowledgement time of the newest commit up to which nothing is missing, in the order
//    of acknowledgement; RPO is the time from there to the disaster, and 0 where nothing is lost.

import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { type Moment, momentNow } from '@spillway/lab';

export interface Acknowledgement {
  readonly client: number;
  readonly sequence: number;
  readonly moment: Moment;
}

export interface Loss {
  readonly acknowledged: number;
  readonly lost: number;
  /** Commits that are there though their acknowledgement never arrived. */
  readonly unacknowledged: number;
  readonly rpo_seconds: number;
}

export class Ledger implements AsyncDisposable {
  readonly #notes: Acknowledgement[] = [];
  readonly #file: WriteStream;

  constructor(file: string) {
    this.#file = createWriteStream(file, { flags: 'a', mode: 0o600 });
  }

  get notes(): readonly Acknowledgement[] {
    return this.#notes;
  }

  note(client: number, sequence: number): void {
    const moment = momentNow();
    this.#notes.push({ client, sequence, moment });
    this.#file.write(`${client} ${sequence} ${new Date(moment.wall).toISOString()} ${moment.monotonic.toFixed(3)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#file.closed) return;
    this.#file.end();
    await once(this.#file, 'close');
  }
}

/** Who the writers are in the table of batches. */
export const SOURCE = 'demo';

/** How the ledger and the table name a commit. */
export const commitKey = (client: number, sequence: number): string => `${client}/${sequence}`;

/** `notes` in the order of acknowledgement; `found` by `commitKey`; `started` counts as the first recovery point. */
export function measureLoss(
  notes: readonly Acknowledgement[],
  found: ReadonlySet<string>,
  struck: Moment,
  started: Moment,
): Loss {
  const lost = notes.filter(({ client, sequence }) => !found.has(commitKey(client, sequence)));
  const firstLost = lost[0];
  const newestSafe = firstLost === undefined ? undefined : notes[notes.indexOf(firstLost) - 1];
  const recoveryPoint = newestSafe?.moment ?? started;
  return {
    acknowledged: notes.length,
    lost: lost.length,
    unacknowledged: found.size - (notes.length - lost.length),
    // An acknowledgement may be noted after the first signal was sent; it is not less than no loss.
    rpo_seconds: firstLost === undefined ? 0 : Math.max(0, (struck.monotonic - recoveryPoint.monotonic) / 1000),
  };
}
