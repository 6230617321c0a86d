// Whether restored files are what the manifest says, found out without the code that laid them down.

import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { chunkId, idKey } from '../src/codec/keys.ts';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from '../src/format/chunk.ts';
import type { Repository } from '../src/index.ts';
import { readManifest } from '../src/repository/manifest-store.ts';

/** What a restore writes or leaves out by itself. */
const OWN =
  /^(?:postgresql\.auto\.conf|backup_label|tablespace_map|recovery\.signal|standby\.signal|\.spillway.*|spillway_recovery(?:\/.*)?|pg_wal\/.*|pg_tblspc\/\d+)$/;

/** Sentences, empty where every file, folder and link is as backed up and nothing else lies there. */
export async function differencesFromManifest(
  repository: Repository,
  cluster: string,
  id: string,
  directory: string,
): Promise<readonly string[]> {
  const { head, entries, chunkIds } = await readManifest(repository, cluster, id);
  const key = idKey(repository.keys);
  const roots = new Map(head.summary.tablespaces.map(({ oid, path }) => [oid, path]));
  const wrong: string[] = [];
  const known = new Set<string>();
  let chunk = 0;
  for (const entry of entries) {
    const tablespace = entry.kind === 'link' ? undefined : entry.tablespace;
    const path = join(tablespace === undefined ? directory : (roots.get(tablespace) ?? ''), entry.path);
    if (tablespace === undefined) known.add(entry.path);
    const stats = await lstat(path).catch(() => undefined);
    if (entry.kind === 'file') {
      const ids = chunkIds.subarray(chunk * CHUNK_ID_BYTES, (chunk += chunkCount(entry.bytes)) * CHUNK_ID_BYTES);
      if (OWN.test(entry.path)) continue;
      if (stats?.isFile() !== true) wrong.push(`${path} is no file`);
      else if (stats.size !== entry.bytes) wrong.push(`${path} has ${stats.size} bytes, not ${entry.bytes}`);
      else if ((stats.mode & 0o7777) !== entry.mode) wrong.push(`${path} has mode ${stats.mode.toString(8)}`);
      else if (!(await hasChunks(path, ids, key))) wrong.push(`${path} has other bytes`);
    } else if (entry.kind === 'directory') {
      if (stats?.isDirectory() !== true) wrong.push(`${path} is no folder`);
    } else if ((await readlink(path).catch(() => undefined)) !== entry.target) wrong.push(`${path} is another link`);
  }
  for (const name of await readdir(directory, { recursive: true })) {
    if (!known.has(name) && !OWN.test(name)) wrong.push(`${name} was not in the backup`);
  }
  return wrong;
}

async function hasChunks(path: string, ids: Uint8Array, key: Parameters<typeof chunkId>[0]): Promise<boolean> {
  await using file = await open(path, 'r');
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, (at / CHUNK_ID_BYTES) * CHUNK_BYTES);
    const plain = buffer.subarray(0, bytesRead);
    const wanted = ids.subarray(at, at + CHUNK_ID_BYTES);
    const zero = wanted.every((byte) => byte === 0);
    if (zero ? plain.some((byte) => byte !== 0) : !chunkId(key, plain).equals(wanted)) return false;
  }
  return true;
}
