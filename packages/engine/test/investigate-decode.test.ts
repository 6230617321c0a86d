// What real servers wrote, decoded: each transaction of a known history is told as it was, on every major that is here; that of
// 15 also record by record as pg_waldump tells it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { listInstallations, startCluster } from '@spillway/lab';
import { Catalog } from '../src/operation/investigate/catalog.ts';
import { describeTransaction } from '../src/operation/investigate/describe.ts';
import { Ledger } from '../src/operation/investigate/ledger.ts';
import { formatLsn, type Lsn, parseLsn, parseSegmentName, segmentSize } from '../src/postgres/lsn.ts';
import { changeOf } from '../src/postgres/record-change.ts';
import { recordParts } from '../src/postgres/record-parts.ts';
import { records, type WalChunk } from '../src/postgres/walrecord.ts';
import { digest, makeHistory, setTheScene, workloadSettings } from './wal-workload.ts';

const run = promisify(execFile);
const size = segmentSize(1024 * 1024);
const installations = (await listInstallations()).filter(
  ({ major }, index, all) => major >= 15 && all.findIndex((each) => each.major === major) === index,
);

suite('the WAL of', () => {
  for (const { major, binDirectory } of installations) {
    test(`PostgreSQL ${major} tells what each transaction did`, async () => {
      // Of one the WAL has what logical decoding wants as well.
      const settings = { ...workloadSettings, wal_level: major === 17 || major === 15 ? 'logical' : 'replica' };
      await using cluster = await startCluster({ major, settings, walSegmentMegabytes: 1 });
      await setTheScene(cluster);
      const [row] = await cluster.query<{ lsn: string }>('SELECT redo_lsn::text AS lsn FROM pg_control_checkpoint()');
      const start = parseLsn(row?.lsn ?? '');
      assert.ok(start !== undefined);
      const deeds = await makeHistory(cluster);
      await cluster.stop('immediate');
      const folder = join(cluster.dataDirectory, 'pg_wal');
      const read = [...records(await segmentsIn(folder, start), start)];

      const catalog = new Catalog(major);
      // Pages that the history touches come with an image; the other names are those of the backup.
      await loadCatalogs(catalog, cluster.dataDirectory);
      const ledger = new Ledger(catalog);
      const found = new Map<number, string>();
      for (const record of read) {
        const ended = ledger.add(record);
        if (ended?.outcome === 'commit') found.set(ended.xid, digest(describeTransaction(ended, catalog)));
        recordParts(record.bytes);
      }
      const told = deeds.map(({ what, xid }) => `${what}\n  ${found.get(xid)}`);
      assert.deepEqual(
        told,
        deeds.map(({ what, expected }) => `${what}\n  ${expected}`),
      );
      if (major !== 15) return;

      const counted = new Map<string, number>();
      for (const record of read) {
        const change = changeOf(record);
        if (change?.kind !== 'rows') continue;
        const { tablespace, database, number } = change.file;
        const key = `${record.xid} ${change.operation} ${tablespace}/${database}/${number}`;
        counted.set(key, (counted.get(key) ?? 0) + change.count);
      }
      assert.deepEqual(
        Object.fromEntries(counted),
        Object.fromEntries(await dumped(join(binDirectory, 'pg_waldump'), folder, start)),
      );
    });
  }
});

async function segmentsIn(folder: string, start: Lsn): Promise<readonly WalChunk[]> {
  const found: WalChunk[] = [];
  for (const name of (await readdir(folder)).toSorted()) {
    const named = parseSegmentName(name, size);
    if (named === undefined || named.start + BigInt(size) <= start) continue;
    found.push({ start: named.start, bytes: await readFile(join(folder, name)) });
  }
  return found;
}

/** As they lay on the disk when the server was broken off: at the last checkpoint, or of a little later. */
async function loadCatalogs(catalog: Catalog, dataDirectory: string): Promise<void> {
  for (const database of await readdir(join(dataDirectory, 'base'))) {
    for (const kind of ['class', 'namespace'] as const) {
      const file = join(dataDirectory, 'base', database, String(catalog.fileOf(Number(database), kind)));
      catalog.load(Number(database), kind, await readFile(file));
    }
  }
  catalog.load(0, 'database', await readFile(join(dataDirectory, 'global', String(catalog.fileOf(0, 'database')))));
}

/** Rows by transaction, operation and relation, as pg_waldump tells them. */
async function dumped(program: string, folder: string, start: Lsn): Promise<ReadonlyMap<string, number>> {
  // It ends with an error where WAL does.
  const { stdout } = await run(program, ['-p', folder, '-s', formatLsn(start)], { maxBuffer: 1 << 28 }).catch(
    (error: { readonly stdout: string }) => error,
  );
  const counted = new Map<string, number>();
  for (const line of stdout.split('\n')) {
    const match = /^rmgr: Heap2? .* tx: +(\d+), .* desc: (\w+)(?:\+INIT)? (.*?)(?:blkref #0: rel (\S+))/.exec(line);
    if (match === null) continue;
    const [, xid = '', name = '', words = '', file = ''] = match;
    const operation = new Map([
      ['INSERT', 'insert'],
      ['MULTI_INSERT', 'insert'],
      ['UPDATE', 'update'],
      ['HOT_UPDATE', 'update'],
      ['DELETE', 'delete'],
    ]).get(name);
    if (operation === undefined) continue;
    const flags = Number(/flags (0x[0-9A-F]+)/.exec(words)?.[1] ?? 0);
    const moved = name === 'DELETE' && (flags & 0x10) !== 0;
    const key = `${xid} ${moved ? 'update' : operation} ${file}`;
    counted.set(key, (counted.get(key) ?? 0) + (name === 'MULTI_INSERT' ? Number.parseInt(words, 10) : 1));
  }
  return counted;
}
