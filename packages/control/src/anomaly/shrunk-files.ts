// Mass deletion as it shows in two backups that follow one another: a database whose files became much smaller, or went.
//
// Files of relations are summed by database, in the data directory and in tablespaces, so that a table that was rewritten
// under another name counts on both sides. What DELETE alone leaves behind has its old size until VACUUM cuts it: see
// `deleted-rows.ts`. Pure.

import type { Entry } from '@spillway/engine';
import { rounded, type Sign, sign } from './finding.ts';

const LOST_BYTES_MIN = 8 * 2 ** 20;
const LEFT = 0.7;
const LITTLE_LEFT = 0.3;

/** `base/<database>/<file>`, and in a tablespace `PG_18_202506291/<database>/<file>`. */
const RELATION = /^(?:base|PG_[^/]+)\/(\d+)\/\d+(?:\.\d+)?$/;

/** By the database's oid. */
export function relationBytes(entries: Iterable<Entry>): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const [, database] = RELATION.exec(entry.path) ?? [];
    if (database !== undefined) sums.set(database, (sums.get(database) ?? 0) + entry.bytes);
  }
  return sums;
}

export interface BackupFiles {
  readonly id: string;
  readonly bytes: ReadonlyMap<string, number>;
  /** Names by oid, as far as they are known. */
  readonly names: ReadonlyMap<string, string>;
}

export function signsOfShrinking(before: BackupFiles, after: BackupFiles): readonly Sign[] {
  return [...before.bytes].flatMap(([database, had]) => {
    const has = after.bytes.get(database) ?? 0;
    if (had - has < LOST_BYTES_MIN || has >= had * LEFT) return [];
    const name = before.names.get(database) ?? `with oid ${database}`;
    const left = Math.round((has / had) * 100);
    const message = after.bytes.has(database)
      ? `the files of database ${name} have ${left} % of the bytes in backup ${after.id} that they had in ${before.id}`
      : `database ${name} is gone in backup ${after.id}`;
    const severity = has < had * LITTLE_LEFT ? 'alarm' : 'warning';
    return [
      sign('shrunk-files', severity, `${after.id} ${database}`, message, {
        bytes_before: had,
        bytes_after: has,
        left: rounded(has / had),
      }),
    ];
  });
}
