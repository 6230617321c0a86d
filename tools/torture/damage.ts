// Damage to one object of a copy of the repository: a flipped bit, a cut, or the object gone.
//
// A restore of the copy must give exactly what the source holds, or fail with exit code 13 and a sentence; the other
// commands may say that something is damaged, but never stumble over it. What is told apart:
// 1. Packs, index, manifests, finished WAL and its pieces, history: as above.
// 2. The head and the key slots are read before any key is known, so a changed bit may also look like a wrong secret
//    (12), a newer format (1) or no repository at all (10).
// 3. An object that is gone without a trace cannot be told from one that never was, where nothing refers to it: WAL
//    pieces at the end, and manifests. Then the restore ends at an earlier moment, but the database is still right.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { differences, type Fingerprint, fingerprint, flipBit, type Random, truncateFile } from '@spillway/lab';
import { type Ended, describeEnd, runCommand, shortEnd } from './command.ts';
import { objectsOf, restoreAnd } from './invariants.ts';
import type { Scene } from './scene.ts';

const DAMAGED = 13;

export const objectKinds = [
  'pack',
  'index',
  'manifest',
  'wal segment',
  'wal piece',
  'system',
  'lock',
  'key',
  'head',
] as const;
export type ObjectKind = (typeof objectKinds)[number];

const patterns: Readonly<Record<ObjectKind, RegExp>> = {
  pack: /^packs\//,
  index: /^index\//,
  manifest: /\/backups\//,
  'wal segment': /\/wal\/.*\/[0-9A-F]{24}$/,
  'wal piece': /\/wal\/.*\.[0-9A-F]{8}-[0-9A-F]{8}$/,
  system: /\/systems\//,
  lock: /^locks\//,
  key: /^keys\//,
  head: /^spillway\.json$/,
};

export interface Damage {
  readonly kind: ObjectKind;
  readonly way: 'flip' | 'cut';
  /** Draws which of the kind's objects, and where in it. */
  readonly random: Random;
}

/** Damages a copy and tries everything on it. `expected` is what the source holds. Gives a line for the log. */
export async function tryDamage(scene: Scene, damage: Damage, expected: Fingerprint): Promise<string> {
  await using copy = await scene.copyRepository();
  const objects = (await objectsOf(copy.path)).filter((name) => patterns[damage.kind].test(name));
  if (objects.length === 0) return `${damage.kind}: there is none`;
  const name = damage.random.pick(objects);
  const path = join(copy.path, name);
  // The copy shares its objects with the original: this one needs bytes of its own.
  const bytes = await readFile(path);
  await rm(path);
  await writeFile(path, bytes, { mode: 0o600 });
  const what =
    damage.way === 'cut'
      ? `${name} cut to ${await truncateFile(path, damage.random)} of ${bytes.length} bytes`
      : await flipBit(path, damage.random).then(({ offset, bit }) => `${name} bit ${bit} of byte ${offset} flipped`);
  try {
    const listed = await runCommand(copy.place, ['backups']);
    mustBe(listed, damage, [0]);
    mustBe(await runCommand(copy.place, ['wal', 'check']), damage, [0, 3]);
    const result = await restoreAnd(scene, copy.place, [], async (restored) =>
      differences(expected, await fingerprint(restored.connection)),
    );
    if ('failed' in result) {
      mustBe(result.failed, damage, []);
      return `${what}: restore ended with ${shortEnd(result.failed)}`;
    }
    if (result.seen.length > 0) throw new Error(`the restore succeeded with other data in ${result.seen.join(', ')}`);
    return `${what}: restored exactly`;
  } catch (cause) {
    throw new Error(what, { cause });
  }
}

function mustBe(ended: Ended, { kind }: Damage, also: readonly number[]): void {
  const beforeAnyKey = kind === 'key' || kind === 'head' ? [1, 10, 12] : [];
  if (ended.code !== null && [DAMAGED, ...also, ...beforeAnyKey].includes(ended.code)) return;
  throw new Error(describeEnd(ended));
}
