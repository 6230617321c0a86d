// The first level: manifests against themselves and against the index, and the WAL that each backup needs.

import { isSpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import { indexName, packName, walPrefix } from '../../format/names.ts';
import { type PackDirectory, parseDirectories } from '../../format/pack.ts';
import type { RepositoryIndex } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { readSystemWal, type SystemWal } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { DistinctChunks } from './distinct-chunks.ts';
import { type Findings, wholly } from './findings.ts';
import { wants } from './holder.ts';
import { readOrTell, type Subject, type VerifyOptions } from './subjects.ts';
import type { VerifyTask } from './verify-worker.ts';
import { allWal, ownWal, walTask } from './wal-objects.ts';

export interface Looked {
  /** Those whose manifest could be read. */
  readonly present: readonly Subject[];
  readonly gone: Set<string>;
  readonly sizes: ReadonlyMap<string, { readonly files: number; readonly bytes: number }>;
  /** Numbers of the packs that hold what they name. */
  readonly packs: ReadonlySet<number>;
}

export async function lookAtManifests(
  subjects: readonly Subject[],
  index: RepositoryIndex,
  distinct: DistinctChunks,
  findings: Findings,
  { repository, signal, report }: VerifyOptions,
  isRead: (ids: Uint8Array, at: number) => boolean = () => true,
): Promise<Looked> {
  const present: Subject[] = [];
  const gone = new Set<string>();
  const sizes = new Map<string, { readonly files: number; readonly bytes: number }>();
  const packs = new Set<number>();
  let lost: ReadonlyMap<string, string> | undefined;
  for (const subject of subjects) {
    signal.throwIfAborted();
    report({ type: 'progress', phase: 'reading manifests', done_bytes: 0, detail: subject.id });
    const { id, object } = subject;
    const content = await readOrTell(subject, findings, gone);
    if (content === undefined) continue;
    const { holder, faults } = content;
    present.push(subject);
    sizes.set(id, { files: holder.files, bytes: holder.bytes });
    for (const problem of faults) findings.add({ kind: 'manifest', object, chunk: null, problem }, wholly(id));
    for (const { at, ...want } of wants(holder)) {
      const slot = index.table.slotOf(holder.chunkIds, at);
      const hurt = { backup: id, file: want.file, tablespace: want.tablespace, offset: want.offset, bytes: want.bytes };
      const chunk = (): string => Buffer.from(holder.chunkIds.subarray(at, at + CHUNK_ID_BYTES)).toString('hex');
      if (slot < 0) {
        lost ??= await namedByIndex(repository, index.damagedPacks, signal);
        const pack = lost.get(chunk());
        const problem =
          pack === undefined ? 'no pack of the repository holds it' : 'the pack is missing, damaged or cut short';
        const where = pack === undefined ? object : packName(pack);
        findings.add({ kind: 'chunk', object: where, chunk: chunk(), problem }, hurt);
        continue;
      }
      const place = index.table.placeIn(slot);
      if (place.plainBytes !== want.bytes) {
        const problem = `the chunk has ${place.plainBytes} bytes, and the file wants ${want.bytes}`;
        const pack = index.packs[place.pack]?.packId ?? '';
        findings.add({ kind: 'chunk', object: packName(pack), chunk: chunk(), problem }, hurt);
      }
      packs.add(place.pack);
      if (isRead(holder.chunkIds, at)) distinct.add(slot, holder.chunkIds, at);
    }
  }
  return { present, gone, sizes, packs };
}

export interface WalLook {
  readonly tasks: readonly VerifyTask[];
  /** By object: the backups that cannot be started without it. */
  readonly needed: ReadonlyMap<string, readonly string[]>;
}

export async function lookAtWal(
  subjects: readonly Subject[],
  findings: Findings,
  options: VerifyOptions,
): Promise<WalLook> {
  const { repository, cluster, all = false, signal } = options;
  const systems = new Map<string, SystemWal>();
  for (const system of await listSystems(repository, cluster, signal)) {
    systems.set(system.system_identifier, await readSystemWal(options, system));
  }
  const tasks = new Map<string, VerifyTask>();
  const needed = new Map<string, string[]>();
  const put = (task: VerifyTask): void => void (task.type === 'object' && tasks.set(task.name, task));
  for (const { id, backup } of subjects) {
    if (backup === undefined) continue;
    const wal = systems.get(backup.system_identifier);
    const own = wal === undefined ? 'no WAL of its system is in the repository' : ownWal(wal, backup);
    if (typeof own === 'string') {
      const object = walPrefix(cluster, backup.system_identifier);
      findings.add({ kind: 'wal', object, chunk: null, problem: `${id}: ${own}` }, wholly(id));
      continue;
    }
    for (const object of own) {
      put(walTask(object));
      needed.set(object.name, [...(needed.get(object.name) ?? []), id]);
    }
  }
  if (all) for (const [id, wal] of systems) for (const task of allWal(wal, walPrefix(cluster, id))) put(task);
  return { tasks: [...tasks.values()], needed };
}

/** Which chunks lay in packs that are lost, from the index objects that name them: chunk id to pack. */
async function namedByIndex(
  repository: Repository,
  packs: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const lost = new Set(packs);
  const named = new Map<string, string>();
  if (lost.size === 0) return named;
  for await (const { name } of repository.storage.list(indexName(''), { signal })) {
    const frames = await repository.read('index', name, signal).catch((error: unknown) => {
      // Told as a finding of its own.
      if (
        !isSpillwayError(error, 'SPW_OBJECT_DAMAGED', 'SPW_REPOSITORY_NEWER', 'SPW_KEY_ROTATED', 'SPW_OBJECT_MISSING')
      )
        throw error;
      return [];
    });
    for (const directory of frames.flatMap(directoriesIn)) {
      if (!lost.has(directory.packId)) continue;
      for (let at = 0; at < directory.ids.length; at += CHUNK_ID_BYTES) {
        const id = Buffer.from(directory.ids.subarray(at, at + CHUNK_ID_BYTES)).toString('hex');
        named.set(id, directory.packId);
      }
    }
  }
  return named;
}

function directoriesIn(frame: Uint8Array): readonly PackDirectory[] {
  const directories = parseDirectories(frame);
  return typeof directories === 'string' ? [] : directories;
}
