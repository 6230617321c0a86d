// Which files of a data directory a base backup leaves out, and which of them hold pages.
//
// The lists are those of PostgreSQL's own base backup (src/backend/backup/basebackup.c, src/common/relpath.c,
// src/backend/storage/file/reinit.c). What is left out is made anew by the server when it starts, or belongs to the running server alone.
// Folders whose contents are left out stay, empty: the server needs them and makes them not.
// Everything here is decided by the path alone, '/'-separated and relative to the data directory; a tablespace is
// reached through pg_tblspc/<oid>.

export type PathKind = 'file' | 'directory' | 'link';

export type Fork = 'main' | 'fsm' | 'vm' | 'init';

export interface RelationFile {
  /** True for every file that this module gives: it is made of pages with checksums. */
  readonly isRelation: true;
  readonly fork: Fork;
  /** 0 for the first file, 1 for `.1`, and so on. */
  readonly segment: number;
  readonly filenode: number;
  /** OID of the database; 0 for relations that all databases share. */
  readonly database: number;
}

/** What a base backup does with `path`. `empty-directory`: make the folder, copy nothing in it. */
export function classify(path: string, kind: PathKind): 'copy' | 'skip' | 'empty-directory' {
  const parts = path.split('/');
  const [top = ''] = parts;
  const name = parts.at(-1) ?? '';

  if (emptied.has(top)) {
    // pg_wal may be a link to another disk: a folder in the backup whatever it is here.
    if (parts.length === 1) return kind === 'file' ? 'skip' : 'empty-directory';
    // The server makes neither of the two folders in pg_wal by itself before 17.
    return path === 'pg_wal/archive_status' || path === 'pg_wal/summaries' ? directoryOnly(kind) : 'skip';
  }
  if (parts.length === 1 && skippedAtTop.has(name)) return 'skip';
  if (skippedAnywhere.has(name) || name.startsWith('pg_internal.init') || name.startsWith('pgsql_tmp')) return 'skip';
  const place = relationPlace(parts);
  if (place !== undefined && temporaryRelation.test(place.name)) return 'skip';
  return 'copy';
}

/** What `path` holds if it is a file of a relation; undefined for everything else. */
export function relationFile(path: string): RelationFile | undefined {
  const place = relationPlace(path.split('/'));
  if (place === undefined) return undefined;
  const match = permanentRelation.exec(place.name);
  if (match === null) return undefined;
  const [, filenode, fork = 'main', segment = '0'] = match;
  return {
    isRelation: true,
    fork: forks.get(fork) ?? 'main',
    segment: Number(segment),
    filenode: Number(filenode),
    database: place.database,
  };
}

/**
 * Which of the names of one folder are forks of unlogged relations that are left out: all but the init fork, from which
 * the server makes them anew after a recovery. Only meaningful for a folder of relations.
 */
export function unloggedSkips(namesInOneDirectory: Iterable<string>): ReadonlySet<string> {
  const names = [...namesInOneDirectory];
  const unlogged = new Set<string>();
  for (const name of names) {
    const match = permanentRelation.exec(name);
    if (match?.[1] !== undefined && match[2] === 'init') unlogged.add(match[1]);
  }
  return new Set(
    names.filter((name) => {
      const match = permanentRelation.exec(name);
      return match?.[1] !== undefined && match[2] !== 'init' && unlogged.has(match[1]);
    }),
  );
}

const emptied: ReadonlySet<string> = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);

const skippedAtTop: ReadonlySet<string> = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'tablespace_map.old',
  'backup_manifest',
]);

const skippedAnywhere: ReadonlySet<string> = new Set(['postgresql.auto.conf.tmp', 'current_logfiles.tmp']);

const forks: ReadonlyMap<string, Fork> = new Map([
  ['fsm', 'fsm'],
  ['vm', 'vm'],
  ['init', 'init'],
]);

/** `16384`, `16384_fsm`, `16384.1`, `16384_vm.2` */
const permanentRelation = /^([1-9]\d{0,9})(?:_(fsm|vm|init))?(?:\.([1-9]\d*))?$/;

/** `t3_16384` and its forks and segments; 3 is the number of the backend that owns it. */
const temporaryRelation = /^t\d+_[1-9]\d{0,9}(?:_(?:fsm|vm|init))?(?:\.[1-9]\d*)?$/;

const number = /^\d{1,10}$/;

/** The folders that hold relations: global, base/<database>, pg_tblspc/<oid>/PG_<version>_<catalog>/<database>. */
function relationPlace(parts: readonly string[]): { readonly name: string; readonly database: number } | undefined {
  const [top, second = '', third = '', fourth = '', fifth] = parts;
  if (top === 'global' && parts.length === 2) return { name: second, database: 0 };
  if (top === 'base' && parts.length === 3 && number.test(second)) return { name: third, database: Number(second) };
  if (top !== 'pg_tblspc' || parts.length !== 5 || fifth === undefined) return undefined;
  if (!number.test(second) || !/^PG_\d+_\d+$/.test(third) || !number.test(fourth)) return undefined;
  return { name: fifth, database: Number(fourth) };
}

const directoryOnly = (kind: PathKind): 'skip' | 'empty-directory' => (kind === 'file' ? 'skip' : 'empty-directory');
