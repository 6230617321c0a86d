// The service's own memory: SQLite in one file, and the one place that knows node:sqlite.
//
// 1. What is here is not needed to recover anything: deleted, it is made anew, and the schedules find their last successes in
//    the repository. Tokens are made anew too, beginning with a first one.
// 2. One service a folder: a second file is held locked for as long as the process lives. The kernel lets go of it when the
//    process dies, however it dies.
// 3. A file that is damaged is put aside under another name and told, not repaired.
// 4. Commits are synchronous with the disk at checkpoints alone (WAL, NORMAL): a power failure may cost the newest moments,
//    never the file.

import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SpillwayError } from '@spillway/contract';
import { migrations } from './migrations.ts';

export type Value = SQLInputValue;
export type Row = Readonly<Record<string, Value>>;

const BUSY_MS = 5000;
const STATEMENTS_MAX = 200;

export interface OpenedState {
  readonly database: Database;
  /** Where a damaged one was put. */
  readonly putAside: string | null;
}

/** Opens the state in `folder`, which is made where it is missing, for this account alone. */
export function openState(folder: string, now: number): OpenedState {
  makeFolder(folder);
  const path = join(folder, 'state.db');
  const existed = existsSync(path);
  try {
    return { database: new Database(path), putAside: null };
  } catch (error) {
    if (!existed || !isDamage(error)) throw cannotOpen(path, error);
    const aside = `${path}.damaged-${new Date(now).toISOString().replaceAll(/[-:.]/g, '')}`;
    for (const ending of ['', '-wal', '-shm']) {
      if (existsSync(path + ending)) renameSync(path + ending, aside + ending);
    }
    return { database: new Database(path), putAside: aside };
  }
}

/** Held until it is disposed of, or the process is gone. Throws SPW_LOCKED where another service has it. */
export function holdFolder(folder: string): Disposable {
  makeFolder(folder);
  const path = join(folder, 'service.lock');
  const lock = new DatabaseSync(path);
  try {
    lock.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new SpillwayError('SPW_LOCKED', `another service uses ${folder}`, {
      hint: 'stop it, or give this one another service.state_directory',
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => lock.close() };
}

export class Database implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    try {
      chmodSync(path, 0o600);
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
        PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 8388608`);
      const [check] = this.all<{ readonly quick_check: string }>('PRAGMA quick_check(1)');
      if (check?.quick_check !== 'ok') throw new Damage(check?.quick_check ?? 'it cannot be checked');
      this.#migrate();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  run(sql: string, ...values: readonly Value[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  get<Shape>(sql: string, ...values: readonly Value[]): Shape | undefined {
    return this.#prepare(sql).get(...values) as Shape | undefined;
  }

  all<Shape>(sql: string, ...values: readonly Value[]): readonly Shape[] {
    return this.#prepare(sql).all(...values) as Shape[];
  }

  /** All of it or nothing. One inside another is part of it. */
  transaction<Result>(work: () => Result): Result {
    if (this.#depth > 0) return work();
    this.#database.exec('BEGIN IMMEDIATE');
    this.#depth++;
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth--;
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #migrate(): void {
    this.transaction(() => {
      const version = this.get<{ readonly user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
      if (version > migrations.length) {
        throw new Damage(`it has version ${version}, and this Spillway knows ${migrations.length}`);
      }
      for (const sql of migrations.slice(version)) this.#database.exec(sql);
      this.#database.exec(`PRAGMA user_version = ${migrations.length}`);
    });
  }
}

class Damage extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const isDamage = (error: unknown): boolean =>
  error instanceof Damage ||
  (error instanceof Error && 'errcode' in error && (error.errcode === 11 || error.errcode === 26));

const cannotOpen = (path: string, error: unknown): SpillwayError =>
  new SpillwayError('SPW_SERVICE_STATE', `cannot open the state of the service at ${path}`, { cause: error });

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannotOpen(folder, error);
  }
}
