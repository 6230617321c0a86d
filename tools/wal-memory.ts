// Peak memory of receiving, checking, fetching and pushing WAL, by the size of its segments:
// `npm run memory:wal -- [MB …]`, 16, 64 and 1024 unless told otherwise.
//
// For each size a throw-away cluster writes rows that compress to about a third while `wal receive` streams, until some
// segments are full. They are checked, fetched, and pushed into a second repository with the others `.ready` behind the
// first. Each command is a process of its own, whose high-water mark (VmHWM) is read from /proc until it ends.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster } from '@spillway/lab';

const MEBIBYTE = 1024 * 1024;
const WAL_BYTES_MIN = 768 * MEBIBYTE;
const SEGMENTS_MIN = 2;
const PUSHED_MAX = 8;
const ROWS_AT_ONCE = 400_000;
const LOOK_EVERY_MS = 50;
const STORED_WITHIN_MS = 600_000;
const MAIN = join(fileURLToPath(new URL('..', import.meta.url)), 'packages', 'cli', 'bin', 'spillway.js');

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0) sizes.push(16, 64, 1024);
if (!sizes.every((size) => size >= 1 && size <= 1024 && Number.isInteger(Math.log2(size)))) {
  throw new RangeError('usage: npm run memory:wal -- [MB …], powers of two up to 1024');
}
process.stdout.write('| segments of | receive | check --data | fetch | push |\n|---|---|---|---|---|\n');
for (const size of sizes) {
  const peaks = await measure(size);
  const cells = peaks.map((bytes) => `${Math.round(bytes / 1e6)} MB`);
  process.stdout.write(`| ${size} MB | ${cells.join(' | ')} |\n`);
}

async function measure(megabytes: number): Promise<readonly number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-wal-memory-'));
  await chmod(folder, 0o755);
  const cluster = await startCluster({ walSegmentMegabytes: megabytes });
  const receiving = new AbortController();
  try {
    const { host, port, user, password } = cluster.connection;
    await writeFile(join(folder, 'passphrase'), randomBytes(32).toString('hex'), { mode: 0o600 });
    await writeFile(join(folder, 'password'), password, { mode: 0o600 });
    for (const place of ['source', 'target']) {
      await mkdir(join(folder, place));
      const configuration = {
        repository: { path: 'repository', passphrase: { file: '../passphrase' } },
        clusters: {
          main: { connection: { host, port, user, database: 'postgres', password: { file: '../password' } } },
        },
      };
      // JSON is YAML.
      await writeFile(join(folder, place, 'spillway.yaml'), JSON.stringify(configuration));
      await spillway(join(folder, place), ['init']);
    }
    const source = join(folder, 'source');
    const receive = spillway(source, ['wal', 'receive'], receiving.signal);
    await writeWal(cluster, megabytes);
    const segments = await storedSegments(source, megabytes);
    receiving.abort();
    const received = await receive;
    const checked = await spillway(source, ['wal', 'check', '--data']);

    const walFolder = join(folder, 'target', 'pg_wal');
    await mkdir(join(walFolder, 'archive_status'), { recursive: true });
    let fetched = 0;
    for (const name of segments.slice(0, PUSHED_MAX)) {
      fetched = Math.max(fetched, await spillway(source, ['wal', 'fetch', name, join(walFolder, name)]));
      await writeFile(join(walFolder, 'archive_status', `${name}.ready`), '');
    }
    const pushed = await spillway(join(folder, 'target'), ['wal', 'push', join(walFolder, segments[0] ?? '')]);
    return [received, checked, fetched, pushed];
  } finally {
    receiving.abort();
    await cluster.destroy();
    // What `wal push` left to do behind it may still be writing.
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
  }
}

async function writeWal(cluster: Awaited<ReturnType<typeof startCluster>>, megabytes: number): Promise<void> {
  const bytes = Math.max(WAL_BYTES_MIN, (SEGMENTS_MIN + 0.1) * megabytes * MEBIBYTE);
  const position = "SELECT (pg_current_wal_lsn() - '0/0')::text AS bytes";
  await cluster.query('CREATE TABLE filler (n bigint, word text, noise text)');
  const at = async (): Promise<number> => Number((await cluster.query<{ bytes: string }>(position))[0]?.bytes);
  for (const begin = await at(); (await at()) < begin + bytes; ) {
    await cluster.query(
      `INSERT INTO filler SELECT n, repeat('spillway ', 6), md5(n::text) FROM generate_series(1, ${ROWS_AT_ONCE}) AS n`,
    );
  }
  await cluster.query('SELECT pg_switch_wal()');
  await cluster.query('CREATE TABLE last_words ()');
}

/** Names of the segments, once the receiver has nothing more to store; the one in progress is left out. */
async function storedSegments(folder: string, megabytes: number): Promise<readonly string[]> {
  let before = '';
  for (const until = performance.now() + STORED_WITHIN_MS; performance.now() < until; ) {
    const names = await readdir(join(folder, 'repository', 'clusters', 'main', 'wal'), { recursive: true }).catch(
      () => [],
    );
    const segments = new Set(names.map((name) => /[0-9A-F]{24}(?=$|\.[0-9A-F]{8}-)/.exec(name)?.[0] ?? '').values());
    segments.delete('');
    const now = names.toSorted((a, b) => (a < b ? -1 : 1)).join();
    const enough = segments.size > Math.max(SEGMENTS_MIN, (WAL_BYTES_MIN / MEBIBYTE / megabytes) * 0.9);
    if (enough && now === before) return [...segments].toSorted().slice(0, -1);
    before = now;
    // More than the interval after which a receiver stores what it has.
    await pause(12_000);
  }
  throw new Error(`the receiver did not store ${SEGMENTS_MIN} segments of ${megabytes} MB`);
}

/** Runs the command in the folder, until it ends or is told to, and gives the most memory that its process held, in bytes. */
async function spillway(folder: string, words: readonly string[], stop?: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [MAIN, ...words, '--quiet'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const onStop = (): void => void child.kill('SIGTERM');
  stop?.addEventListener('abort', onStop, { once: true });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
  for (let peak = 0; ; peak = Math.max(peak, await highWater(child))) {
    const code = await Promise.race([ended, pause(LOOK_EVERY_MS, 'running' as const)]);
    if (code === 'running') continue;
    if (code !== 0) throw new Error(`spillway ${words.join(' ')} ended with ${code}`);
    return peak;
  }
}

async function highWater({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
