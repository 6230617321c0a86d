// `backup --source logical` and `--source schema`: pg_dump of each database, and what belongs to no database.
//
//   1  take the cluster's dump lock; connect; see that the server is the cluster's; find tools of its major or newer
//   2  pg_dumpall --globals-only, and pg_dump in its custom format for each database, several at once; their output goes
//      straight into chunks (`store.ts`), uncompressed, because it is compressed there and equal chunks are stored once
//   3  write the index of the new packs; see that the lock is held; write the manifest; look that the lock was held meanwhile
//
// Each database is dumped from a snapshot of its own. `lsn` is where the server's WAL was before all of them.
// Invariant: the manifest is the last object written. A program that fails, or is killed, voids the whole dump: what it
// wrote until then is unnamed packs.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Report } from '@spillway/contract';
import type { CompressionLevel } from '../../codec/seal.ts';
import { CHUNK_BYTES } from '../../format/chunk.ts';
import type { DumpManifest, DumpStream, DumpSummary } from '../../format/dump.ts';
import { dumpName } from '../../format/names.ts';
import { runClient } from '../../postgres/client-process.ts';
import { type ClientPrograms, findClientPrograms } from '../../postgres/client-programs.ts';
import { connect } from '../../postgres/connection.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { confirmWhole } from '../../repository/confirm-whole.ts';
import { writeDump } from '../../repository/dump-store.ts';
import { readIndex, writeIndex } from '../../repository/index-store.ts';
import { LOCK_WAIT_MS, takeLock } from '../../repository/lock.ts';
import type { Repository } from '../../repository/repository.ts';
import { admitSystem } from '../system.ts';
import { chooseDatabases, type DatabaseToDump, readDumpedServer } from './databases.ts';
import { StreamStore, type Stored } from './store.ts';

/** Databases dumped at once, at most: each is a session that reads as fast as it can. */
const DUMPS_AT_ONCE_MAX = 4;
/** What text takes more than pages do, generously. */
const TEXT_FACTOR = 2;
const SPARE_CHUNKS = 16_384;
/** The table takes 32 bytes a chunk. Past this many new chunks some may be stored twice. */
const ROOM_MAX = 4_000_000;

export interface DumpOptions {
  readonly repository: Repository;
  readonly cluster: { readonly name: string; readonly connection: ConnectionSettings };
  readonly kind: DumpSummary['source'];
  /** By default all that take connections and are no templates. */
  readonly databases?: readonly string[];
  readonly workers: number;
  readonly compressionLevel: CompressionLevel;
  /** Where pg_dump is looked for first. */
  readonly binDirectory?: string;
  /** Folders of PATH. */
  readonly searchPath?: readonly string[];
  /** After pg_upgrade: accepts the new system identifier under the old name. */
  readonly newSystem?: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** Throws SPW_DUMP_FAILED, SPW_POSTGRES_PROGRAM, and what connecting and storing throw. */
export async function dump(options: DumpOptions): Promise<DumpSummary> {
  const { repository, cluster, report } = options;
  await using lock = await takeLock(repository, `dump-${cluster.name}`, {
    holder: `dump of cluster ${cluster.name}`,
    signal: options.signal,
    waitMs: LOCK_WAIT_MS,
    onWait: (why) =>
      report({ type: 'notice', level: 'info', message: `Waiting to see whether the holder lives: ${why}.` }),
  });
  const signal = AbortSignal.any([options.signal, lock.lost]);
  await using session = await connect(cluster.connection, { signal });
  const server = await readDumpedServer(session, signal);
  const tools = await findClientPrograms(['pg_dump', 'pg_dumpall'], server.major, options);
  const { systemIdentifier, segmentBytes } = server;
  if (systemIdentifier !== null) {
    await admitSystem(repository, cluster.name, { systemIdentifier, segmentBytes }, options);
  }
  const databases = await chooseDatabases(session, options.databases, report, signal);
  const rolePasswords = server.rolePasswords;
  if (!rolePasswords) {
    report({
      type: 'notice',
      level: 'warning',
      message: `Roles are dumped without their passwords: user ${cluster.connection.user} may not read pg_authid.`,
    });
  }

  const startedAt = new Date();
  const id = `${startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`;
  const stored = await storeAll(options, { tools, databases, rolePasswords, signal });
  const index = await writeIndex(repository, stored.packs, signal);
  await lock.assertHeld();

  const finishedAt = new Date();
  const streams = stored.streams.map(({ bytes, lengths }, n): DumpStream => {
    const database = databases[n - 1];
    const size = { bytes, chunks: lengths.length };
    return database === undefined
      ? { kind: 'globals', ...size }
      : { kind: 'database', database: database.description.name, ...size };
  });
  const lengths = Uint32Array.from(stored.streams.flatMap((stream) => stream.lengths));
  const summary: DumpSummary = {
    id,
    cluster: cluster.name,
    source: options.kind,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    duration_seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
    system_identifier: systemIdentifier,
    postgres_version: server.versionNumber,
    tool_version: tools.version,
    lsn: server.lsn,
    databases: databases.map(({ description }, n) => ({ ...description, bytes: streams[n + 1]?.bytes ?? 0 })),
    globals: true,
    role_passwords: rolePasswords,
    bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
    new_bytes: stored.newBytes,
    stored_bytes: stored.packs.reduce((sum, { packBytes }) => sum + packBytes, 0) + index.storedBytes,
    chunks: lengths.length,
    new_chunks: stored.newChunks,
  };
  const manifest: DumpManifest = {
    head: { summary, streams },
    chunkIds: Buffer.concat(stored.streams.map(({ ids }) => ids)),
    lengths,
  };
  signal.throwIfAborted();
  await writeDump(repository, manifest);
  await confirmWhole({
    repository,
    lock,
    name: dumpName(cluster.name, id),
    what: `dump ${id} of cluster ${cluster.name}`,
    chunkIds: manifest.chunkIds,
    signal: options.signal,
    report: options.report,
  });
  return summary;
}

interface Circumstances {
  readonly tools: ClientPrograms;
  readonly databases: readonly DatabaseToDump[];
  readonly rolePasswords: boolean;
  readonly signal: AbortSignal;
}

/** Stream 0 holds the globals, the others the databases in their order. */
async function storeAll(options: DumpOptions, at: Circumstances): Promise<Stored> {
  const { repository, kind, workers, cluster, report } = options;
  const { databases, tools } = at;
  const diskBytes = databases.reduce((sum, database) => sum + database.diskBytes, 0);
  const expected = kind === 'schema' ? 0 : (diskBytes * TEXT_FACTOR) / CHUNK_BYTES;
  const room = Math.min(ROOM_MAX, Math.ceil(expected) + SPARE_CHUNKS);
  const { table } = await readIndex(repository, { newChunks: room, signal: at.signal });
  const failed = new AbortController();
  const signal = AbortSignal.any([at.signal, failed.signal]);
  await using store = new StreamStore({ ...options, table, room, signal });
  const numbers = [store.open(), ...databases.map(() => store.open())];
  let done = 0;
  const run = async (n: number): Promise<void> => {
    const database = databases[n - 1];
    const number = numbers[n] ?? 0;
    const { warnings } = await runClient({
      program: join(tools.binDirectory, database === undefined ? 'pg_dumpall' : 'pg_dump'),
      arguments: database === undefined ? globalsArguments(cluster.connection, at) : databaseArguments(kind, database),
      connection:
        database === undefined ? cluster.connection : { ...cluster.connection, database: database.description.name },
      onOutput: async (bytes) => {
        await store.write(number, bytes);
        done += bytes.byteLength;
        report({
          type: 'progress',
          phase: 'dumping',
          done_bytes: done,
          detail: database?.description.name ?? 'roles and tablespaces',
        });
      },
      failure: 'SPW_DUMP_FAILED',
      what: `${database === undefined ? 'roles and tablespaces were' : `database ${database.description.name} was`} not dumped`,
      signal,
    });
    await store.close(number);
    for (const message of warnings) report({ type: 'notice', level: 'warning', message });
  };
  const waiting = numbers.keys();
  const dumper = async (): Promise<void> => {
    for (const n of waiting) await run(n);
  };
  const dumpers = Array.from({ length: Math.min(workers, DUMPS_AT_ONCE_MAX) }, () =>
    dumper().catch((error: unknown) => {
      // The first failure ends the others, which then fail with it.
      failed.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(dumpers);
  failed.signal.throwIfAborted();
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  // Awaited here: leaving this function ends the workers.
  return await store.finish();
}

const databaseArguments = (kind: DumpSummary['source'], { description }: DatabaseToDump): readonly string[] => [
  '--format=custom',
  '--compress=0',
  // Its own encoding: nothing is converted, so nothing can be lost.
  `--encoding=${description.encoding}`,
  '--no-password',
  ...(kind === 'schema' ? ['--schema-only'] : []),
];

const globalsArguments = (connection: ConnectionSettings, { rolePasswords }: Circumstances): readonly string[] => [
  '--globals-only',
  '--encoding=UTF8',
  '--no-password',
  `--database=${connectionString(connection.database ?? 'postgres')}`,
  ...(rolePasswords ? [] : ['--no-role-passwords']),
];

/** A database's name as libpq reads it where it would take some names for connection strings. */
export const connectionString = (database: string): string =>
  `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
