// What a folder that is to be restored into holds already, and whether it may be used.
//
//   empty        or not there: made, and laid anew
//   interrupted  has the marker of a restore of ours and no pg_control: that restore is gone on with
//   cluster      a data directory: overwritten only where that was asked for (`delta`), and only of the same system
//   foreign      anything else: refused
// One that a server runs in is always refused. A folder of a tablespace, or for pg_wal, must be empty, or be the one that
// this data directory (or the interrupted restore) has already.

import { readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { parseControlFile } from '../../postgres/control.ts';
import { serverProcess } from '../../postgres/server.ts';
import { CONTROL_FILE } from './chunks.ts';
import type { Layout } from './layout.ts';
import { isUnderWay, MARKER_FILE, type Marker, readMarker } from './marker.ts';

export type FolderState =
  | { readonly kind: 'empty' }
  | { readonly kind: 'interrupted'; readonly marker: Marker }
  /** Without the identifier where pg_control is gone or damaged. */
  | {
      readonly kind: 'cluster';
      readonly systemIdentifier: string | undefined;
      /** Of a postmaster.pid whose process does not run here. */
      readonly staleProcess?: string;
    }
  | { readonly kind: 'foreign'; readonly names: readonly string[] };

const CLUSTER_FOLDERS = ['global', 'base', 'pg_wal', 'pg_xact'];

export type RestoreMode = 'fresh' | 'delta' | 'resume';

export interface ModeWish {
  readonly directory: string;
  readonly delta: boolean;
  readonly repositoryId: string;
  readonly cluster: string;
}

/** Throws SPW_SERVER_RUNNING where a server runs in it, SPW_LOCKED where another process restores into it. */
export async function inspectFolder(directory: string): Promise<FolderState> {
  const pid = await serverProcess(directory);
  if (pid !== undefined) {
    throw new SpillwayError('SPW_SERVER_RUNNING', `nothing was restored into ${directory}`, {
      why: `process ${pid} runs a PostgreSQL server there`,
    });
  }
  // Half a marker is nothing: it is the first file there.
  const names = (await namesIn(directory)).filter((name) => name !== `${MARKER_FILE}.new`);
  if (names.length === 0) return { kind: 'empty' };
  const control = await readIfThere(join(directory, CONTROL_FILE));
  if (control === undefined) {
    const marker = await readMarker(directory);
    if (marker !== undefined) {
      if (await isUnderWay(marker)) throw underWay(directory, marker);
      return { kind: 'interrupted', marker };
    }
  }
  // A database's own folder has a PG_VERSION too: it must not be taken for a cluster of which much is lost.
  const isCluster = names.includes('PG_VERSION') && CLUSTER_FOLDERS.some((name) => names.includes(name));
  if (!isCluster) return { kind: 'foreign', names };
  const postmaster = await readIfThere(join(directory, 'postmaster.pid'));
  const stale = postmaster && Buffer.from(postmaster).toString('utf8').split('\n', 1)[0];
  return {
    kind: 'cluster',
    systemIdentifier: identifierIn(control),
    ...(stale === undefined ? {} : { staleProcess: stale }),
  };
}

const underWay = (directory: string, { process: by, backup, started_at: since }: Marker): SpillwayError =>
  new SpillwayError('SPW_LOCKED', `nothing was restored into ${directory}`, {
    why: `process ${by?.pid} restores backup ${backup} there, since ${since}`,
    hint: 'let it end, or end it and run this again: it goes on where that was',
  });

/** Whether and how the folder is restored into. Pure. */
export function chooseMode(state: FolderState, wish: ModeWish): RestoreMode {
  const nothing = `nothing was restored into ${wish.directory}`;
  switch (state.kind) {
    case 'empty':
      return 'fresh';
    case 'interrupted': {
      const { marker } = state;
      if (marker.repository === wish.repositoryId && marker.cluster === wish.cluster) return 'resume';
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
        why: `an unfinished restore lies there: of cluster ${marker.cluster} from repository ${marker.repository}, begun at ${marker.started_at}`,
        hint: 'finish that one with its own configuration, or name another folder',
      });
    }
    case 'cluster':
      if (wish.delta) return 'delta';
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
        why: 'it is not empty: it holds a PostgreSQL data directory',
        hint: 'name an empty or new folder, or see with --delta --dry-run what would be changed there',
      });
    case 'foreign': {
      const some = state.names.slice(0, 3).join(', ');
      const more = state.names.length > 3 ? ` and ${state.names.length - 3} more` : '';
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', nothing, {
        why: `it is not empty${wish.delta ? ', and no PostgreSQL data directory' : ''}: it holds ${some}${more}`,
      });
    }
  }
}

/** Throws SPW_FOLDER_NOT_EMPTY for a folder of a tablespace or for pg_wal that something else may own. */
export async function refuseForeignRoots(layout: Layout, state: FolderState): Promise<void> {
  const owned = new Set(state.kind === 'interrupted' ? state.marker.folders : []);
  const roots: (readonly [what: string, link: string, path: string])[] = [...layout.tablespaces].map(([oid, path]) => [
    `tablespace ${oid}, which belongs at ${path}`,
    join(layout.directory, 'pg_tblspc', String(oid)),
    path,
  ]);
  if (layout.walDirectory !== undefined) {
    const { directory, walDirectory } = layout;
    roots.push([`${walDirectory}, where pg_wal is to stand`, join(directory, 'pg_wal'), walDirectory]);
  }
  for (const [what, link, path] of roots) {
    const names = await namesIn(path);
    if (names.length === 0) continue;
    if (!owned.has(path) && !(state.kind === 'cluster' && (await linkTarget(link)) === path)) {
      throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `nothing was restored into ${what}`, {
        why: `it is not empty: it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`,
        hint: 'empty it, or name another place for it with --tablespace, --tablespace-all-into or --wal-directory',
      });
    }
    const other = await serverAround(path, layout.directory);
    if (other === undefined) continue;
    throw new SpillwayError('SPW_SERVER_RUNNING', `nothing was restored into ${what}`, {
      why: `the server that runs in ${other} has it too`,
      hint: 'stop that server, or name another place with --tablespace',
    });
  }
}

export interface FileSystem {
  readonly device: bigint;
  readonly freeBytes: number;
}

/** Free for unprivileged users, on the file system that the folder is or will be on. */
export async function fileSystemOf(directory: string): Promise<FileSystem> {
  for (let at = directory; ; at = dirname(at)) {
    const there = await stat(at, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new SpillwayError('SPW_DISK_SPACE', `the space for ${directory} could not be looked at`, { cause: error });
    });
    if (there === undefined && at !== dirname(at)) continue;
    const { bavail, bsize } = await statfs(at);
    return { device: there?.dev ?? 0n, freeBytes: bavail * bsize };
  }
}

/** Where the link leads; undefined where there is no link. One that cannot be looked at is an error: it may lead anywhere. */
export async function linkTarget(path: string): Promise<string | undefined> {
  return readlink(path).catch((error: NodeJS.ErrnoException) => {
    // EINVAL: something else than a link.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${path} cannot be looked at`, { cause: error });
  });
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${directory} cannot be used`, { cause: error });
  });
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new SpillwayError('SPW_FOLDER_NOT_EMPTY', `${path} cannot be read`, { cause: error });
  });
}

function identifierIn(control: Uint8Array | undefined): string | undefined {
  try {
    return control && parseControlFile(control).systemIdentifier;
  } catch (error) {
    // Damaged: then nothing tells which system it was.
    if (isSpillwayError(error)) return undefined;
    throw error;
  }
}

/** The data directory of a running server, other than `own`, that has a tablespace or its pg_wal at `path`. */
async function serverAround(path: string, own: string): Promise<string | undefined> {
  const processes = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of processes) {
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
    if (directory === undefined || directory === own) continue;
    const oids = await readdir(join(directory, 'pg_tblspc')).catch(() => undefined);
    if (oids === undefined || (await serverProcess(directory).catch(() => undefined)) === undefined) continue;
    const links = [join(directory, 'pg_wal'), ...oids.map((oid) => join(directory, 'pg_tblspc', oid))];
    for (const link of links) if ((await linkTarget(link)) === path) return directory;
  }
  return undefined;
}
