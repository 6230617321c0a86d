// Who did what: every action is written here in the moment in which it is done, and from here goes into the repository as a
// signed record (audit-trail.ts). What is not written there yet is known by its empty `evidence`.

import type { AuditEntryDocument } from '@spillway/contract';
import { iso } from '../clock.ts';
import type { Database, Value } from './database.ts';

export interface Action {
  readonly at: number;
  readonly who: string;
  readonly role: string;
  /** `job.start`, `token.revoke`. */
  readonly action: string;
  readonly cluster: string | null;
  readonly subject: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly address: string;
}

interface AuditRow extends Omit<Action, 'details'> {
  readonly id: number;
  readonly details: string;
  readonly evidence: string | null;
}

export class AuditStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add({ at, who, role, action, cluster, subject, details, address }: Action): void {
    this.#database.run(
      'INSERT INTO audit (at, who, role, action, cluster, subject, details, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      at,
      who,
      role,
      action,
      cluster,
      subject,
      JSON.stringify(details),
      address,
    );
  }

  /** Newest first. */
  list(asked: {
    readonly cluster?: string | undefined;
    readonly before?: number | undefined;
    readonly limit: number;
  }): readonly AuditEntryDocument[] {
    const values: Value[] = [asked.before ?? Number.MAX_SAFE_INTEGER];
    if (asked.cluster !== undefined) values.push(asked.cluster);
    const where = asked.cluster === undefined ? '' : 'AND cluster = ?';
    return this.#database
      .all<AuditRow>(`SELECT * FROM audit WHERE id < ? ${where} ORDER BY id DESC LIMIT ?`, ...values, asked.limit)
      .map((row) => documentOf(row));
  }

  /** Oldest first. */
  unwritten(limit: number): readonly AuditEntryDocument[] {
    return this.#database
      .all<AuditRow>('SELECT * FROM audit WHERE evidence IS NULL ORDER BY id LIMIT ?', limit)
      .map((row) => documentOf(row));
  }

  written(id: number, evidence: string): void {
    this.#database.run('UPDATE audit SET evidence = ? WHERE id = ?', evidence, id);
  }

  /** Forgets what is in the repository and older than `time`. */
  prune(time: number): number {
    return this.#database.run('DELETE FROM audit WHERE evidence IS NOT NULL AND at < ?', time);
  }
}

const documentOf = ({ details, at, ...row }: AuditRow): AuditEntryDocument => ({
  ...row,
  at: iso(at),
  details: JSON.parse(details) as Readonly<Record<string, unknown>>,
});
