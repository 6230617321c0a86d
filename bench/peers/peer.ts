// A peer: a tool that backs the source up, told by the commands that do it.
//
// Each file of this folder knows one tool: whether it is on this machine, how it is set up to be as like the others as it
// can be, and what its commands are. Only the commands are measured; setting up is not.

import type { Installation } from '@spillway/lab';
import type { Command } from '../measure.ts';
import type { Source } from '../source.ts';

export const PROCESSES = 2;
export const ZSTD_LEVEL = 3;

export interface PeerPlace {
  /** A folder of the peer's own, there and empty. */
  readonly folder: string;
  readonly source: Source;
  readonly installation: Installation;
  readonly signal: AbortSignal;
  /** Runs as the account of the server, because that calls it. */
  readonly asServer?: boolean;
}

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** How it is run, in a phrase. */
  readonly how: string;
  /** The folder whose growth counts as bytes stored. */
  readonly store: string;
  /** What a backup reads, where that is not the source's own data directory. */
  readonly reads?: string;
  /** What archives WAL during its turns. */
  readonly archiveCommand: string;
  /** Stores WAL when called by the server for each file; with `%p`. */
  readonly pushCommand?: string;
  /** Brings WAL back when called by a server that recovers that folder, for each file; with `%f` and `%p`. */
  readonly fetchCommand?: (dataDirectory: string) => string;
  /** Fetches one WAL file from the store. */
  readonly fetchWal?: (name: string, into: string) => Command;
  /** Makes the store new and empty. */
  readonly empty: () => Promise<void>;
  /** Stores the WAL of the turns before its own: that of others is not its work. */
  readonly catchUp?: () => Promise<void>;
  /** The first backup. */
  readonly full: () => Command;
  /** Another full backup into the same store. */
  readonly again?: () => Command;
  readonly incremental?: () => Command;
  /** A full backup over the replication protocol, as from another host. */
  readonly streamed?: () => Command;
  /** Brings the newest full backup back into an empty folder. */
  readonly restore?: (into: string) => Command;
  /** Reads the backup in the repository back and checks it. */
  readonly verify?: () => Command;
  /** Brings it back into a folder that holds a restored cluster, whatever has happened to that. */
  readonly restoreDelta?: (into: string) => Command;
}

/** A peer that cannot take part. */
export interface AbsentPeer {
  readonly name: string;
  readonly why: string;
}
