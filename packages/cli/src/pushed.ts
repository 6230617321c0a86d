// `wal push` of a file that was pushed ahead, answered before anything else is loaded: PostgreSQL starts a process for each
// file of WAL and waits for it, so what the process loads decides how much WAL a second can be archived.
//
// 1. The push that went ahead left a mark of each file (`operation/wal/push-mark.ts`) and, in `asked.json`, what it was asked
//    and with what configuration (`commands/pushed-ahead.ts`). The answer is yes only where all of it is the same: the words, the
//    folder, the settings in the environment, the configuration's very file, the WAL's very file, and where the repository, a
//    folder, still has the objects with their lengths. Anything else, and any failure, is a no: then the whole program looks.
// 2. While a push in the background is at work on the files behind (`push-behind.ts`), a mark is waited for, as long as it lives
//    and does not say that it leaves the file to us, and five seconds at most.
// It imports nothing but what Node has loaded already. `bin/spillway-push` does the same without a Node.

import { lstatSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const LOOK_AGAIN_MS = 10;
const LOOKS_MAX = 500;

/** What a push left that went ahead. */
export interface Asked {
  readonly question: string;
  readonly cluster: string;
  /** The configuration's file, and which one it was. */
  readonly file: string;
  readonly configuration: string;
  /** The folder of the repository. */
  readonly root: string;
}

/** As `push-mark.ts` writes it. */
interface Mark {
  readonly cluster: string;
  readonly file: string;
  readonly objects: readonly { readonly object: string; readonly stored_bytes: number }[];
}

/** Whether `words` ask for a push that is done. */
export function wasPushedAhead(words: readonly string[]): boolean {
  try {
    const path = pathOf(words);
    if (path === undefined) return false;
    const spool = join(dirname(path), '.spillway-pushed');
    const place = join(spool, `${basename(path)}.ok`);
    for (let looks = 0; !isThere(place) && looks < LOOKS_MAX && isPusherAt(spool, basename(path)); looks++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
    }
    const asked = readOwn(join(spool, 'asked.json')) as Asked;
    if (asked.question !== questionOf(words) || asked.configuration !== identityOf(asked.file)) return false;
    const mark = readOwn(place) as Mark;
    if (mark.cluster !== asked.cluster || mark.file !== identityOf(path) || mark.objects.length === 0) return false;
    return mark.objects.every(({ object, stored_bytes: bytes }) => statSync(join(asked.root, object)).size === bytes);
  } catch {
    return false;
  }
}

/** The file of `wal push <file>`, where it is the last word. */
function pathOf(words: readonly string[]): string | undefined {
  const path = words.at(-1) ?? '';
  const plain = words.at(-2) === 'push' && words.at(-3) === 'wal' && !path.startsWith('-');
  return plain && !words.some((word) => word.startsWith('--json')) ? resolve(path) : undefined;
}

/** All that decides what a push does, but the file. No secret is in it: of the environment only settings are, which are none. */
export function questionOf(words: readonly string[]): string {
  const own = Object.entries(process.env).filter(([name]) => /^SPILLWAY_(?:CONFIG$|CLUSTER$|.*__)/.test(name));
  return JSON.stringify([words.slice(0, -1), process.cwd(), own.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

/** As in `push-mark.ts`. */
export function identityOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function isPusherAt(spool: string, name: string): boolean {
  if (isThere(join(spool, `${name}.left`))) return false;
  const [pid] = readOwnText(join(spool, 'pusher')).split(' ');
  // Throws where there is no such process.
  return process.kill(Number(pid), 0);
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

const readOwn = (path: string): unknown => JSON.parse(readOwnText(path));

/** Of our own account alone, or root's. */
function readOwnText(path: string): string {
  const found = lstatSync(path);
  if (!found.isFile() || (found.uid !== process.getuid?.() && found.uid !== 0)) throw new Error('not ours');
  return readFileSync(path, 'utf8');
}
