// What is remembered beside jobs: how far each schedule is handled, when it last succeeded, which processes were started,
// and since when this state is.

import type { Memory } from '@spillway/control';
import type { Database } from './database.ts';

export interface ChildMark {
  readonly owner: string;
  readonly pid: number;
  /** Start time in clock ticks since boot; with the number it names a process for good. */
  readonly started: string;
}

export class Marks {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** When this state was made. */
  since(now: number): number {
    this.#database.run("INSERT INTO fact (name, value) VALUES ('since', ?) ON CONFLICT DO NOTHING", String(now));
    return Number(this.#database.get<{ readonly value: string }>("SELECT value FROM fact WHERE name = 'since'")?.value);
  }

  /** `handledUpTo` is minus infinity where nothing was ever begun. */
  memory(cluster: string, kind: string): Memory {
    const row = this.#database.get<{ readonly handled_up_to: number | null; readonly last_success: number | null }>(
      'SELECT handled_up_to, last_success FROM schedule_mark WHERE cluster = ? AND kind = ?',
      cluster,
      kind,
    );
    return {
      handledUpTo: row?.handled_up_to ?? Number.NEGATIVE_INFINITY,
      lastSuccess: row?.last_success ?? undefined,
    };
  }

  handled(cluster: string, kind: string, upTo: number): void {
    this.#database.run(
      `INSERT INTO schedule_mark (cluster, kind, handled_up_to) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET handled_up_to = max(excluded.handled_up_to, coalesce(handled_up_to, 0))`,
      cluster,
      kind,
      upTo,
    );
  }

  succeeded(cluster: string, kind: string, at: number): void {
    this.#database.run(
      `INSERT INTO schedule_mark (cluster, kind, last_success) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last_success = max(excluded.last_success, coalesce(last_success, 0))`,
      cluster,
      kind,
      at,
    );
  }

  startedChild({ owner, pid, started }: ChildMark): void {
    this.#database.run(
      'INSERT INTO child (owner, pid, started) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET pid = excluded.pid, started = excluded.started',
      owner,
      pid,
      started,
    );
  }

  endedChild(owner: string): void {
    this.#database.run('DELETE FROM child WHERE owner = ?', owner);
  }

  children(): readonly ChildMark[] {
    return this.#database.all<ChildMark>('SELECT owner, pid, started FROM child ORDER BY owner');
  }
}
