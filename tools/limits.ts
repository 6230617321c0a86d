// `npm run limits [-- FILE]`: how fast one thread of this machine does what every byte of a backup goes through, by the functions
// that backups call. The figures of `docs/performance.md` are its own.
//
// The data is FILE, such as a relation of a cluster, or else pages made of a counter, a hash and padding, as rows are. By CPU
// time, so that other work on the machine disturbs little.

import { createCipheriv, createHash, createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { allocatePages, checksumPage, verifyPages } from '@spillway/engine';

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
tell('zstd, expanding', compressed, (body) => free(zstdDecompressSync(body, { chunkSize: CHUNK + 1 })));
tell('AES-256-GCM', chunks, (chunk) => createCipheriv('aes-256-gcm', key, randomBytes(12)).update(chunk));

/** Of plain data, whatever it is stored as. */
function tell(what: string, all: readonly Buffer[], work: (bytes: Buffer) => unknown): void {
  for (const bytes of all.slice(0, 20)) work(bytes);
  const before = process.cpuUsage();
  for (const bytes of all) work(bytes);
  const { user, system } = process.cpuUsage(before);
  const rate = (all.length * CHUNK) / MIB / ((user + system) / 1e6);
  console.log(`${what.padEnd(16)} ${rate.toFixed(0).padStart(6)} MiB/s`);
}

function zstd(level: number) {
  return { chunkSize: CHUNK + 2048, params: { [constants.ZSTD_c_compressionLevel]: level } };
}

function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
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
