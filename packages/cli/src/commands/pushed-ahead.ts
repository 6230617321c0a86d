// What a `wal push` that goes ahead leaves for the calls that come for the same files, which are answered without it.
//
// 1. `asked.json`: what it was asked, and by which configuration. `pushed.ts` compares that with the marks of the engine,
//    and loads nothing else.
// 2. `<file>.seen` for each file that is durable, where `bin/spillway-push` stands in front, which starts no Node: the first line is
//    what that was asked, in its own words; then, as stat(1) prints them, the file of WAL as it was when it was read, the
//    configuration as it was before it was loaded, and the objects that hold the file; then `end`.
// Hints all of them: where one cannot be written, calls take longer, no more.

import { randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileIdentity, type PushOptions, SEEN_SUFFIX } from '@spillway/engine';
import { type Asked, questionOf } from '../pushed.ts';

const NANOSECONDS = 1_000_000_000n;

export interface AheadNotes {
  readonly words: readonly string[];
  /** What `bin/spillway-push` was asked; undefined where it does not stand in front. */
  readonly front: string | undefined;
  /** The WAL file, absolute. */
  readonly path: string;
  readonly cluster: string;
  /** The configuration's file, and how it was before it was read. */
  readonly file: string;
  readonly configuration: BigIntStats;
  /** The folder of the repository. */
  readonly root: string;
}

/** Writes what was asked; gives what is to be told of each file that is durable. */
export async function noteAsked(notes: AheadNotes): Promise<NonNullable<PushOptions['onStored']>> {
  const { words, front, path, cluster, file, configuration, root } = notes;
  const spool = join(dirname(path), '.spillway-pushed');
  const { dev, ino, size, mtimeNs, ctimeNs } = configuration;
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  const asked: Asked = { question: questionOf(words), cluster, file, configuration: identity, root };
  await put(spool, 'asked.json', JSON.stringify(asked));
  const given = words.at(-1) ?? '';
  const folder = given.slice(0, Math.max(0, given.lastIndexOf('/')));
  return async (name, before, objects) => {
    if (front === undefined || objects.length === 0) return;
    try {
      const lines = [front, lineOf(before, `${folder}/${name}`), lineOf(configuration, file)];
      for (const object of objects) {
        const place = join(root, object.name);
        const found = await stat(place, { bigint: true });
        if (found.size !== BigInt(object.storedBytes)) return;
        lines.push(lineOf(found, place));
      }
      if (lines.some((line) => line.includes('\n'))) return;
      await put(spool, name + SEEN_SUFFIX, `${[...lines, 'end'].join('\n')}\n`);
    } catch {
      // Then the call for it starts a Node.
    }
  };
}

/** As `stat -c '%d %i %s %.9Y %.9Z %n'` prints it. */
function lineOf({ dev, ino, size, mtimeNs, ctimeNs }: FileIdentity, path: string): string {
  return [dev, ino, size, seconds(mtimeNs), seconds(ctimeNs), path].join(' ');
}

const seconds = (nanoseconds: bigint): string =>
  `${nanoseconds / NANOSECONDS}.${String(nanoseconds % NANOSECONDS).padStart(9, '0')}`;

async function put(spool: string, name: string, text: string): Promise<void> {
  const beside = join(spool, `.${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(spool, { recursive: true, mode: 0o700 });
    await writeFile(beside, text, { flag: 'wx', mode: 0o600 });
    await rename(beside, join(spool, name));
  } catch {
    await rm(beside, { force: true }).catch(() => undefined);
  }
}
