// Which databases' files a restore fetches. Pure.
//
// PostgreSQL recovers a cluster only as a whole: the catalogs that all databases share name every one of them. So files
// of databases that were not asked for are laid as empty shells, zeros of full length that take no space: replay can
// write into them (after a checkpoint the first change of a page brings the whole page), nobody can connect to such a
// database, and DROP DATABASE takes it away. PG_VERSION is kept, as PostgreSQL looks at it.
// What belongs to no database, to template databases or to `postgres` is always fetched; so is a database made while
// the backup ran, whose name it does not know.

import { SpillwayError } from '@spillway/contract';
import type { Entry, FileEntry } from '../../format/entry.ts';
import type { ManifestHead } from '../../format/manifest.ts';

/** Below it stand what initdb made: templates and `postgres`. */
const FIRST_NORMAL_OID = 16_384;
const ALWAYS = new Set(['template0', 'template1', 'postgres']);

export interface Selection {
  readonly restored: readonly string[];
  readonly leftEmpty: readonly string[];
  /** Whether the file's content is left out. */
  isShell(entry: FileEntry): boolean;
}

export const EVERYTHING: Selection = { restored: [], leftEmpty: [], isShell: () => false };

/** Throws SPW_USAGE for a database that the backup does not have. */
export function selectDatabases(head: ManifestHead, wanted: readonly string[] | undefined): Selection {
  if (wanted === undefined || wanted.length === 0) return EVERYTHING;
  const { databases } = head;
  if (databases === undefined) {
    throw new SpillwayError('SPW_USAGE', `backup ${head.summary.id} cannot be restored in part`, {
      why: 'it was made before backups kept the names of databases',
      hint: 'restore all of it, or name a newer backup with --backup',
    });
  }
  for (const name of wanted) {
    if (databases.some((each) => each.name === name)) continue;
    throw new SpillwayError('SPW_USAGE', `database ${name} cannot be restored`, {
      why: `backup ${head.summary.id} does not have it; it has ${databases.map((each) => each.name).join(', ')}`,
      hint: 'check the name; upper and lower case differ',
    });
  }
  const isWanted = ({ oid, name }: { readonly oid: number; readonly name: string }): boolean =>
    wanted.includes(name) || ALWAYS.has(name) || oid < FIRST_NORMAL_OID;
  const shells = new Set(databases.filter((each) => !isWanted(each)).map(({ oid }) => oid));
  return {
    restored: databases.filter(isWanted).map(({ name }) => name),
    leftEmpty: databases.filter((each) => !isWanted(each)).map(({ name }) => name),
    isShell: (entry) => {
      const oid = databaseOf(entry);
      return oid !== undefined && shells.has(oid) && !entry.path.endsWith('/PG_VERSION');
    },
  };
}

/** `base/16384/1259`; in a tablespace `PG_15_202209061/16384/1259`. */
export function databaseOf(entry: Entry): number | undefined {
  const tablespace = entry.kind === 'link' ? undefined : entry.tablespace;
  const match = (tablespace === undefined ? /^base\/(\d+)\// : /^PG_[^/]+\/(\d+)\//).exec(entry.path);
  return match === null ? undefined : Number(match[1]);
}
