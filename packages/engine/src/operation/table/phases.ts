// What took how long: each step of a table's restore with its begin, its end and the rows that went through it.

import type { Report } from '@spillway/contract';

export interface TablePhase {
  readonly name: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly seconds: number;
  /** Null where no rows are counted. */
  readonly rows: number | null;
  /** Null where none are known. */
  readonly bytes: number | null;
}

export class Phases {
  readonly done: TablePhase[] = [];
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** `rows` reads the number of rows from the result. A phase that fails is not among those done. */
  async run<Result>(name: string, work: () => Promise<Result>, rows?: (result: Result) => number): Promise<Result> {
    this.#report({ type: 'progress', phase: name, done_bytes: 0 });
    const startedAt = new Date();
    const began = performance.now();
    const result = await work();
    this.done.push({
      name,
      started_at: startedAt.toISOString(),
      finished_at: new Date().toISOString(),
      seconds: Math.round(performance.now() - began) / 1000,
      rows: rows === undefined ? null : rows(result),
      bytes: null,
    });
    return result;
  }
}
