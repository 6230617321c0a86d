// Peak memory of a backup and a restore: `npm run memory -- [GB] [--files N]`, one gigabyte unless told otherwise, and as
// many small files more.
//
// A throw-away cluster is filled with rows that compress to about a third, backed up with two workers and restored, each
// by the command line in a process of its own, whose high-water mark (VmHWM) is read from /proc until it ends. The table
// that is printed is the one in the documentation.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startCluster } from '@spillway/lab';

const ROWS_PER_GB = 7_950_000;
const ROWS_AT_ONCE = 1_000_000;
const LOOK_EVERY_MS = 50;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN = join(ROOT, 'packages', 'cli', 'bin', 'spillway.js');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string', default: '0' } },
});
const gigabytes = Number(positionals[0] ?? '1');
const files = Number(values.files);
if (!(gigabytes > 0 && gigabytes <= 100) || !Number.isInteger(files) || files < 0 || files > 10_000_000) {
  throw new RangeError('usage: npm run memory -- [GB, up to 100] [--files N, up to ten million]');
}

const folder = await mkdtemp(join(tmpdir(), 'spillway-memory-'));
await chmod(folder, 0o755);
const cluster = await startCluster();
try {
  await cluster.query('CREATE TABLE filler (n bigint, word text, noise text)');
  const rows = Math.round(gigabytes * ROWS_PER_GB);
  for (let at = 0; at < rows; at += ROWS_AT_ONCE) {
    const until = Math.min(rows, at + ROWS_AT_ONCE) - 1;
    await cluster.query(
      `INSERT INTO filler SELECT n, repeat('spillway ', 6), md5(n::text) FROM generate_series(${at}, ${until}) AS n`,
    );
  }
  await cluster.query('CHECKPOINT');
  await addFiles(files);
  const { host, port, user, password } = cluster.connection;
  await writeFile(join(folder, 'passphrase'), randomBytes(32).toString('hex'), { mode: 0o600 });
  await writeFile(join(folder, 'password'), password ?? '', { mode: 0o600 });
  const secret = password === undefined ? {} : { password: { file: 'password' } };
  const configuration = {
    repository: { path: 'repository', passphrase: { file: 'passphrase' } },
    clusters: { main: { connection: { host, port, user, database: 'postgres', ...secret } } },
  };
  // JSON is YAML.
  await writeFile(join(folder, 'spillway.yaml'), JSON.stringify(configuration));
  await spillway('init');
  const [size] = await cluster.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid))::text AS bytes FROM pg_database',
  );
  const measured = [
    ['backup', await spillway('backup', '--type', 'full', '--workers', '2')],
    ['backup, nothing changed', await spillway('backup', '--workers', '2')],
    ['verify', await spillway('verify', '--workers', '2')],
    ['restore', await spillway('restore', '--into', join(folder, 'restored'), '--immediate', '--workers', '2')],
  ] as const;
  process.stdout.write(
    `\n${(Number(size?.bytes) / 1e9).toFixed(1)} GB, ${files} small files beside them, two workers\n\n| operation | peak memory |\n|---|---|\n`,
  );
  for (const [what, bytes] of measured) process.stdout.write(`| ${what} | ${Math.round(bytes / 1e6)} MB |\n`);
} finally {
  await cluster.destroy();
  await rm(folder, { recursive: true, force: true });
}

/** As relations that the catalog knows nothing of: shorter than a page, each with a content of its own. */
async function addFiles(count: number): Promise<void> {
  const [row] = await cluster.query<{ folder: string }>(
    "SELECT 'base/' || oid AS folder FROM pg_database WHERE datname = 'postgres'",
  );
  for (let n = 0; n < count; n++) {
    writeFileSync(join(cluster.dataDirectory, row?.folder ?? '', String(100_000_000 + n)), `file ${n}\n`, {
      mode: 0o644,
    });
  }
}

/** Runs the command and gives the most memory that its process held, in bytes. */
async function spillway(...words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [MAIN, ...words, '--quiet'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
  let peak = 0;
  for (;;) {
    const code = await Promise.race([ended, pause(LOOK_EVERY_MS, 'running' as const)]);
    if (code === 0) break;
    if (code !== 'running') throw new Error(`spillway ${words.join(' ')} ended with ${code}`);
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    peak = Math.max(peak, Number(kilobytes ?? 0) * 1024);
  }
  return peak;
}
