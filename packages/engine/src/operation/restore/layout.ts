// Where each root of a restore goes: the data directory, tablespaces, and pg_wal where it is to stand elsewhere. Pure.
//
// 1. A tablespace is named by its oid, its name or its old path, and goes where the operator says; others go where they were.
// 2. Two roots never lie in one another: the files of one would be taken for strangers in the other.
// 3. PostgreSQL makes the links in pg_tblspc anew from `tablespace_map` when it starts with a backup_label, so that file
//    is written to fit. https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-PITR-RECOVERY

import { join, resolve } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import type { Entry } from '../../format/entry.ts';
import type { ManifestHead } from '../../format/manifest.ts';

export interface LayoutWish {
  readonly directory: string;
  /** `which` is an oid, a name or an old path. */
  readonly tablespaces?: readonly { readonly which: string; readonly to: string }[] | undefined;
  /** Every tablespace not named in `tablespaces` goes into a folder of its own in here. */
  readonly tablespacesInto?: string | undefined;
  readonly walDirectory?: string | undefined;
}

export interface Layout {
  readonly directory: string;
  readonly tablespaces: ReadonlyMap<number, string>;
  readonly walDirectory: string | undefined;
}

type Known = Pick<ManifestHead, 'tablespace_names'> & {
  readonly summary: Pick<ManifestHead['summary'], 'tablespaces'>;
};

/** Throws SPW_USAGE where the wish does not fit the backup, or puts one root into another. */
export function planLayout(head: Known, wish: LayoutWish): Layout {
  const known = head.summary.tablespaces;
  const names = head.tablespace_names ?? {};
  const chosen = new Map<number, string>();
  for (const { which, to } of wish.tablespaces ?? []) {
    const found = known.filter(({ oid, path }) => [String(oid), names[oid], path].includes(which));
    const [one] = found;
    if (one === undefined || found.length > 1) {
      const all = known.map(
        ({ oid, path }) => `${oid}${names[oid] === undefined ? '' : ` (${names[oid]})`} at ${path}`,
      );
      throw usage(
        `tablespace ${which} cannot be moved`,
        `the backup has ${found.length > 1 ? 'several' : 'none'} of that name; it has ${all.join(', ') || 'no tablespaces'}`,
      );
    }
    if (chosen.has(one.oid)) throw usage(`tablespace ${which} cannot be moved`, 'two places are named for it');
    chosen.set(one.oid, resolve(to));
  }
  const into = wish.tablespacesInto;
  if (into !== undefined) {
    for (const { oid } of known) if (!chosen.has(oid)) chosen.set(oid, join(resolve(into), String(oid)));
  }
  const layout: Layout = {
    directory: resolve(wish.directory),
    tablespaces: new Map(known.map(({ oid, path }) => [oid, chosen.get(oid) ?? path])),
    walDirectory: wish.walDirectory === undefined ? undefined : resolve(wish.walDirectory),
  };
  refuseOverlap(layout, new Set(chosen.keys()));
  return layout;
}

/** The data directory first. */
export const rootsOf = ({ directory, tablespaces, walDirectory }: Layout): readonly string[] => [
  directory,
  ...tablespaces.values(),
  ...(walDirectory === undefined ? [] : [walDirectory]),
];

export function pathOf(layout: Layout, entry: Entry): string {
  const { directory, tablespaces, walDirectory } = layout;
  const tablespace = entry.kind === 'link' ? undefined : entry.tablespace;
  if (tablespace !== undefined) return join(tablespaces.get(tablespace) ?? '', entry.path);
  if (walDirectory !== undefined && entry.path.startsWith('pg_wal/')) {
    return join(walDirectory, entry.path.slice('pg_wal/'.length));
  }
  return join(directory, entry.path);
}

/** `text` as pg_backup_stop gave it, with the places of the layout. */
export function rewriteTablespaceMap(text: string, layout: Layout): string {
  return parseTablespaceMap(text)
    .map(
      ({ oid, path }) => `${oid} ${(layout.tablespaces.get(oid) ?? path).replaceAll(/[\\\r\n]/g, String.raw`\$&`)}\n`,
    )
    .join('');
}

export function parseTablespaceMap(text: string): readonly { readonly oid: number; readonly path: string }[] {
  // A line ends at a line feed without a backslash before it; a backslash makes the next character part of the path.
  return [...text.matchAll(/(\d+) ((?:\\[^]|[^\\\r\n])*)(?:\r?\n|$)/g)].map(([, oid = '', path = '']) => ({
    oid: Number(oid),
    path: path.replaceAll(/\\([^])/g, '$1'),
  }));
}

/** Throws SPW_USAGE. Without `moved` places that nobody chose may lie in one another: they did so before. */
export function refuseOverlap(layout: Layout, moved: ReadonlySet<number> = new Set()): void {
  const places = [
    { what: 'the data directory', path: layout.directory, chosen: true },
    ...[...layout.tablespaces].map(([oid, path]) => ({ what: `tablespace ${oid}`, path, chosen: moved.has(oid) })),
    ...(layout.walDirectory === undefined ? [] : [{ what: 'pg_wal', path: layout.walDirectory, chosen: true }]),
  ];
  for (const [i, one] of places.entries()) {
    for (const other of places.slice(i + 1)) {
      if (!one.chosen && !other.chosen) continue;
      if (one.path === other.path) throw usage(`${other.what} cannot go to ${other.path}`, `${one.what} goes there`);
      if (isInside(other.path, one.path)) {
        throw usage(`${other.what} cannot go to ${other.path}`, `that is inside ${one.what}, ${one.path}`);
      }
      if (isInside(one.path, other.path)) {
        throw usage(`${other.what} cannot go to ${other.path}`, `${one.what}, ${one.path}, is inside of it`);
      }
    }
  }
}

export const isInside = (path: string, folder: string): boolean => path.startsWith(folder === '/' ? '/' : `${folder}/`);

const usage = (message: string, why: string): SpillwayError =>
  new SpillwayError('SPW_USAGE', message, { why, hint: 'name a place of its own for it' });
