// What must hold after every round.
//
// 1. Every backup that is listed has its WAL, and a reader that shares no code with the engine reads it whole: each
//    chunk is authenticated and its id computed anew.
// 2. No object that a backup may need is ever changed or gone: packs, index, manifests, keys, finished WAL. Pieces of
//    WAL and locks come and go.
// 3. A restore to the latest moment starts, holds a right database, and in it every commit that was acknowledged to a
//    client and confirmed to the server as durable before the fault.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BackupsDocument, RestoreDocument } from '@spillway/contract';
import { adoptCluster, freePort, type LabCluster } from '@spillway/lab';
import { type CommandPlace, documentOf, type Ended, runCommand } from './command.ts';
import { CLUSTER_NAME, type Scene } from './scene.ts';
import { findWork, lostCommits, type Note } from './writers.ts';

const run = promisify(execFile);
const READER = join(import.meta.dirname, '..', 'independent-reader', 'read.mjs');
const LASTING =
  /^(?:spillway\.json|keys\/|packs\/|index\/|clusters\/[^/]+\/(?:backups|systems)\/|clusters\/.*\/[0-9A-F]{8,24}(?:\.history)?$)/;

export const listBackups = async (place: CommandPlace): Promise<BackupsDocument> =>
  documentOf<BackupsDocument>(place, ['backups']);

/** Remembers what was seen of a repository, to notice what changed that must not. */
export class Custody {
  readonly #scene: Scene;
  readonly #objects = new Map<string, string>();
  readonly #read = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Throws on the first thing that is not as it must be. Returns how many backups are listed. */
  async check(): Promise<number> {
    const { place, repository } = this.#scene;
    const { backups } = await listBackups(place);
    for (const backup of backups) {
      if (!backup.wal_complete) throw new Error(`backup ${backup.id} is listed and lacks WAL`);
      if (this.#read.has(backup.id)) continue;
      await this.#readIndependently(backup.id);
      this.#read.add(backup.id);
    }
    for (const id of this.#read) {
      if (!backups.some((backup) => backup.id === id)) throw new Error(`backup ${id} is not listed any more`);
    }
    await this.#compareObjects(repository);
    return backups.length;
  }

  async #readIndependently(id: string): Promise<void> {
    const { folder, repository, passphraseFile } = this.#scene;
    const into = join(folder, 'read');
    const words = [READER, repository, '--passphrase-file', passphraseFile, 'backup', CLUSTER_NAME, id, into];
    try {
      await run(process.execPath, words);
    } catch (cause) {
      throw new Error(`backup ${id} is listed, and the independent reader cannot read it`, { cause });
    } finally {
      await rm(into, { recursive: true, force: true });
    }
  }

  async #compareObjects(repository: string): Promise<void> {
    const now = new Map<string, string>();
    for (const name of await objectsOf(repository)) {
      if (!LASTING.test(name)) continue;
      const bytes = await readFile(join(repository, name));
      now.set(name, createHash('sha256').update(bytes).digest('hex'));
    }
    for (const [name, digest] of this.#objects) {
      if (now.get(name) !== digest) throw new Error(`${name} was ${now.has(name) ? 'changed' : 'removed'}`);
    }
    for (const [name, digest] of now) this.#objects.set(name, digest);
  }
}

/** Names of all objects, ordered. */
export async function objectsOf(repository: string): Promise<readonly string[]> {
  const entries = await readdir(repository, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
    .filter((name) => !name.startsWith('.'))
    .toSorted();
}

/** Restores, starts, lets `look` see the server, and removes it. Gives the command's end where that was a failure. */
export async function restoreAnd<Seen>(
  scene: Scene,
  place: CommandPlace,
  words: readonly string[],
  look: (restored: LabCluster, document: RestoreDocument) => Promise<Seen>,
): Promise<{ readonly seen: Seen } | { readonly failed: Ended }> {
  const dataDirectory = join(scene.folder, 'restored');
  const logFile = join(scene.folder, 'restored.log');
  const port = await freePort();
  const result = await runCommand(place, [
    'restore',
    '--into',
    dataDirectory,
    '--start',
    '--port',
    String(port),
    ...words,
  ]);
  if (result.code !== 0) {
    await rm(dataDirectory, { recursive: true, force: true });
    return { failed: result };
  }
  const { installation, password, user } = scene.cluster;
  const restored = await adoptCluster({
    dataDirectory,
    port,
    password,
    user,
    logFile,
    binDirectory: installation.binDirectory,
  });
  try {
    return { seen: await look(restored, JSON.parse(result.stdout) as RestoreDocument) };
  } finally {
    await restored.destroy();
  }
}

/** The third invariant. Gives how many of `notes` are there. */
export async function checkLatest(scene: Scene, notes: readonly Note[], durable: bigint): Promise<number> {
  const result = await restoreAnd(scene, scene.place, [], async (restored) => {
    const found = await findWork(restored);
    if (found.wrong.length > 0) throw new Error(`the restored database is wrong: ${found.wrong.join('; ')}`);
    const lost = lostCommits(notes, durable, found);
    if (lost.length > 0) {
      const [first] = lost;
      throw new Error(
        `${lost.length} acknowledged and durable commits are lost, the first is ${first?.client}/${first?.sequence} at ${first?.position}, durable was ${durable}`,
      );
    }
    return notes.filter(({ client, sequence }) => sequence <= (found.sequences.get(client) ?? 0)).length;
  });
  if ('failed' in result) throw new Error(`the latest moment cannot be restored: ${result.failed.stderr}`);
  return result.seen;
}
