// The entries of a base backup in the order in which they are told, and at the end in the order of a scan. Pure.
//
// The server sends tablespaces before the data directory, and files as its file system lists them. So that both sources
// give the same backup of the same cluster, the entries go through the same rules (`exclusion.ts`) and come out in the
// same order: by root; in a root folder by folder, names sorted, what is in a folder after the folder; pg_control last.
// Files have no inode and no ctime here, and a time in whole seconds: no incremental backup takes one for unchanged.

import { CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import type { Entry, FileEntry } from '../../format/entry.ts';
import { classify, unloggedSkips } from '../../postgres/exclusion.ts';
import type { TarEntry } from '../../postgres/tar.ts';
import { RECOVERY_FOLDER } from '../restore/fetch-script.ts';
import { CONTROL_FILE } from './control-file.ts';
import { pathInCluster } from './source.ts';

const NS_PER_SECOND = 1_000_000_000n;

export interface StreamedFile {
  readonly file: FileEntry;
  /** Filled in as its chunks are stored; zeros stand for chunks of zeros. */
  readonly ids: Uint8Array;
}

interface Placed {
  readonly entry: Entry;
  readonly tablespace: number | undefined;
  readonly ids: Uint8Array | undefined;
}

export class StreamedTree {
  /** By root and folder, in the order told. */
  readonly #folders = new Map<string, Placed[]>();
  readonly #tablespaces = new Set<number>();
  #control: StreamedFile | undefined;

  /** The file whose content follows; undefined for what has none, and for a file that is not backed up. */
  add(told: TarEntry, tablespace: number | undefined): StreamedFile | undefined {
    const { path, mode, uid, gid } = told;
    const place = { path, ...(tablespace === undefined ? {} : { tablespace }) };
    // Of a recovery of ours that nobody watched to its end; in a restore it would be taken for that one's own.
    if (tablespace === undefined && (path === RECOVERY_FOLDER || path.startsWith(`${RECOVERY_FOLDER}/`))) {
      return undefined;
    }
    const verdict = classify(pathInCluster(place), told.kind);
    if (verdict === 'skip') return undefined;
    if (told.kind === 'directory') {
      this.#place({ entry: { kind: 'directory', ...place, mode, uid, gid }, tablespace, ids: undefined });
      return undefined;
    }
    if (told.kind === 'link') {
      this.#place({ entry: { kind: 'link', path, target: told.target }, tablespace, ids: undefined });
      return undefined;
    }
    const mtime = String(BigInt(told.mtime) * NS_PER_SECOND);
    const { bytes } = told;
    const file: FileEntry = { kind: 'file', ...place, mode, uid, gid, bytes, mtime, ctime: '0', inode: '0' };
    const ids = new Uint8Array(chunkCount(bytes) * CHUNK_ID_BYTES);
    if (tablespace === undefined && path === CONTROL_FILE) this.#control = { file, ids };
    else this.#place({ entry: file, tablespace, ids });
    return { file, ids };
  }

  ordered(): { readonly entries: readonly Entry[]; readonly chunkIds: Uint8Array } {
    const entries: Entry[] = [];
    const ids: Uint8Array[] = [];
    const walk = (tablespace: number | undefined, folder: string): void => {
      const placed = this.#folders.get(keyOf(tablespace, folder)) ?? [];
      const named = placed.map((each) => ({ ...each, name: each.entry.path.slice(folder.length).replace(/^\//, '') }));
      // The server left out what it saw of them; an init fork that came later is seen only now.
      const unlogged = unloggedSkips(named.map(({ name }) => name));
      const kept = named.filter(({ name }) => !unlogged.has(name));
      kept.sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { entry, ids: own } of kept) {
        entries.push(entry);
        if (own !== undefined) ids.push(own);
      }
      for (const { entry } of kept) if (entry.kind === 'directory') walk(tablespace, entry.path);
    };
    walk(undefined, '');
    for (const oid of [...this.#tablespaces].toSorted((a, b) => a - b)) walk(oid, '');
    if (this.#control !== undefined) {
      entries.push(this.#control.file);
      ids.push(this.#control.ids);
    }
    return { entries, chunkIds: Buffer.concat(ids) };
  }

  #place(placed: Placed): void {
    const { entry, tablespace } = placed;
    if (tablespace !== undefined) this.#tablespaces.add(tablespace);
    const key = keyOf(tablespace, entry.path.slice(0, Math.max(0, entry.path.lastIndexOf('/'))));
    const others = this.#folders.get(key);
    if (others === undefined) this.#folders.set(key, [placed]);
    else others.push(placed);
  }
}

const keyOf = (tablespace: number | undefined, folder: string): string => `${tablespace ?? ''}:${folder}`;
