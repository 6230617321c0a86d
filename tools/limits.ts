// `npm run limits [-- FILE]`: how fast one thread of this machine does what every byte of a backup goes through, by the functions
// that backups call. The figures of `docs/performance.md` are its own.
//
// The data is FILE, such as a relation of a cluster or segments of WAL, or else pages made of a counter, a hash and padding, as rows are. By CPU
// time, so that other work on the machine disturbs little. Where zstd is at work, what is left of the bytes stands behind it.

import { createCipheriv, createHash, createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import {
  allocatePages,
  checksumPage,
  verifyPages,
  WAL_COMPRESSION_LEVEL_DEFAULT,
  WAL_FRAME_BYTES,
  walCompression,
} from '@spillway/engine';

const CHUNK = 256 * 1024;
const CHUNKS = 400;
const MIB = 2 ** 20;
const PAGE = 8192;
/** Of pd_checksum in a page. */
const CHECKSUM_AT = 8;

const [path] = process.argv.slice(2);
const chunks = path === undefined ? rows() : await chunksOf(path);
const compressed = chunks.map((chunk) => zstdCompressSync(chunk, zstd(3)));
const pages = allocatePages(CHUNK);
chunks[0]?.copy(pages);
for (let at = 0; at < CHUNK; at += PAGE) pages.writeUInt16LE(checksumPage(pages, at, at / PAGE), at + CHECKSUM_AT);
/** It takes so little that a few hundred say nothing. */
const many = Array.from({ length: 50 }, () => chunks).flat();
const key = createSecretKey(randomBytes(32));

console.log(`${path ?? 'made rows'}, ${chunks.length} chunks of 256 KiB, Node ${process.versions.node}`);
tell('page checksums', many, () => verifyPages(pages, 0, () => undefined));
tell('HMAC-SHA-256', chunks, (chunk) => createHmac('sha256', key).update(chunk).digest());
for (const level of [1, 3]) tell(`zstd ${level}`, chunks, (chunk) => free(zstdCompressSync(chunk, zstd(level))));
const wal = walCompression(WAL_COMPRESSION_LEVEL_DEFAULT);
for (const level of [1, 3]) {
  tell(`zstd ${level}, 1 MiB`, framesOf(WAL_FRAME_BYTES), (frame) =>
    free(zstdCompressSync(frame, zstd(level, frame.length))),
  );
}
tell('zstd as for WAL', framesOf(WAL_FRAME_BYTES), (frame) => free(zstdCompressSync(frame, zstdOfWal(frame.length))));
tell(
  'zstd, expanding',
  compressed,
  (body) => void free(zstdDecompressSync(body, { chunkSize: CHUNK + 1 })),
  chunks.length * CHUNK,
);
tell('AES-256-GCM', chunks, (chunk) => createCipheriv('aes-256-gcm', key, randomBytes(12)).update(chunk));

/** Of plain data, whatever it is stored as. */
function tell(
  what: string,
  all: readonly Buffer[],
  work: (bytes: Buffer) => unknown,
  bytes = all.reduce((sum, { length }) => sum + length, 0),
): void {
  for (const each of all.slice(0, 20)) work(each);
  const before = process.cpuUsage();
  let left = 0;
  for (const each of all) {
    const given = work(each);
    if (typeof given === 'number') left += given;
  }
  const { user, system } = process.cpuUsage(before);
  const rate = bytes / MIB / ((user + system) / 1e6);
  const part = left === 0 ? '' : `  ${((100 * left) / bytes).toFixed(2)} %`;
  console.log(`${what.padEnd(16)} ${rate.toFixed(0).padStart(6)} MiB/s${part}`);
}

function zstd(level: number, bytes = CHUNK) {
  return { chunkSize: bytes + (bytes >>> 8) + 1024, params: { [constants.ZSTD_c_compressionLevel]: level } };
}

function zstdOfWal(bytes: number) {
  const { level, minMatch = 0, windowLog = 0 } = wal;
  const { chunkSize, params } = zstd(level, bytes);
  return {
    chunkSize,
    params: { ...params, [constants.ZSTD_c_minMatch]: minMatch, [constants.ZSTD_c_windowLog]: windowLog },
  };
}

/** The same data in other pieces. */
function framesOf(bytes: number): Buffer[] {
  const all = Buffer.concat(chunks);
  return Array.from({ length: Math.floor(all.length / bytes) }, (_, i) => all.subarray(i * bytes, (i + 1) * bytes));
}

/** Gives how long it was. */
function free({ buffer, length }: Buffer): number {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  return length;
}

function rows(): Buffer[] {
  let row = 0;
  return Array.from({ length: CHUNKS }, () => {
    const chunk = Buffer.alloc(CHUNK);
    for (let at = 0; at + 128 <= CHUNK; at += 128) {
      const line = createHash('sha256').update(String(row)).digest('hex').slice(0, 32);
      chunk.write(`${String(row++).padStart(10)} ${line} filler${' '.repeat(60)}`, at);
    }
    return chunk;
  });
}

async function chunksOf(file: string): Promise<Buffer[]> {
  await using handle = await open(file);
  const found: Buffer[] = [];
  for (let at = 0; found.length < CHUNKS; at += CHUNK) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK), 0, CHUNK, at);
    if (bytesRead < CHUNK) break;
    found.push(buffer);
  }
  if (found.length === 0) throw new Error(`${file} has less than one chunk of 256 KiB`);
  return found;
}
