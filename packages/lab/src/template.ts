// Data directories made once and copied, for a run of the tests: initdb takes a second, and they make hundreds of clusters.
//
// 1. Only where SPILLWAY_LAB_TEMPLATES names a folder, as `npm test` does for its time. Everywhere else, as in `spillway lab`,
//    the demo and the benchmarks, each cluster has its own initdb and its own password.
// 2. A template is made for each program, account and set of initdb's words, beside its place and renamed into it, so that
//    files that run at once can make it at once. The copies share its password.
// 3. A copy gets a system identifier of its own, as initdb gives: in pg_control, whose CRC is found by what it sums, and in the
//    head of its first WAL segment. Two copies are as strange to one another as two clusters are.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import { exists } from './cache.ts';
import { templatesFolder } from './test-run.ts';

const run = promisify(execFile);

/** `XLogPageHeaderData`, padded; the long head of a segment goes on with the system identifier. */
const PAGE_HEAD_BYTES = 24;
/** All majors have `ControlFileData` end within these. */
const CONTROL_BYTES = 512;
const SUM_FROM = 200;

export interface Template {
  readonly dataDirectory: string;
  readonly password: string;
}

/**
 * The template of what `about` tells, or undefined where none are wanted. `make` makes a data directory below the folder it
 * is given, as `data`, with the superuser's password beside it, as `password`.
 */
export async function templateFor(
  about: readonly string[],
  make: (folder: string, password: string) => Promise<void>,
): Promise<Template | undefined> {
  const folder = templatesFolder();
  if (folder === undefined) return undefined;
  const name = createHash('sha256').update(about.join('\0')).digest('hex').slice(0, 16);
  const place = join(folder, name);
  if (!(await exists(place))) {
    const draft = join(folder, `${name}.${randomBytes(6).toString('hex')}`);
    try {
      await make(draft, randomBytes(18).toString('base64url'));
      await rename(draft, place);
    } catch (error) {
      // Another process was first: its template is as good.
      if (!(await exists(place))) throw error;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  return { dataDirectory: join(place, 'data'), password: await readFile(join(place, 'password'), 'utf8') };
}

/** Into a folder that is there and empty. */
export async function copyTemplate({ dataDirectory }: Template, into: string): Promise<void> {
  // -a keeps the owner, where we may give files away, and the modes.
  await run('cp', ['-a', `${dataDirectory}/.`, into]);
  const identifier = Buffer.alloc(8);
  identifier.writeUInt32LE(randomBytes(4).readUInt32LE());
  identifier.writeUInt32LE(Math.floor(Date.now() / 1000), 4);
  await change(join(into, 'global', 'pg_control'), (control) => {
    const at = sumAt(control);
    identifier.copy(control);
    control.writeUInt32LE(crc32c(control.subarray(0, at)), at);
  });
  const wal = join(into, 'pg_wal');
  for (const segment of (await readdir(wal)).filter((file) => /^[0-9A-F]{24}$/.test(file))) {
    await change(join(wal, segment), (head) => identifier.copy(head, PAGE_HEAD_BYTES));
  }
}

async function change(path: string, edit: (head: Buffer) => void): Promise<void> {
  await using file = await open(path, 'r+');
  const head = Buffer.alloc(CONTROL_BYTES);
  await file.read(head, 0, head.length, 0);
  edit(head);
  await file.write(head, 0, head.length, 0);
}

/** Where the CRC of `ControlFileData` is: where the sum of what lies before it stands. */
export function sumAt(control: Buffer): number {
  for (let at = SUM_FROM; at + 4 <= control.length; at += 4) {
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  }
  throw new SpillwayError('SPW_LAB', 'a template has no pg_control that agrees with its own sum');
}

/** CRC-32C, bit by bit: a few hundred bytes a cluster. */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
