// What a manifest says of each file, folder and link of a cluster, but its content.

export interface FileEntry {
  readonly kind: 'file';
  /** Relative to its root, `/` between parts. */
  readonly path: string;
  /** Undefined for the data directory, else the tablespace's oid. */
  readonly tablespace?: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Length as backed up. */
  readonly bytes: number;
  /** Nanoseconds, in decimal: what the file system said before the file was read. */
  readonly mtime: string;
  readonly ctime: string;
  readonly inode: string;
}

export interface DirectoryEntry {
  readonly kind: 'directory';
  readonly path: string;
  readonly tablespace?: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface LinkEntry {
  readonly kind: 'link';
  readonly path: string;
  readonly target: string;
}

export type Entry = FileEntry | DirectoryEntry | LinkEntry;
