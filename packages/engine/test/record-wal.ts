// Records WAL for the tables of the decoder: `node packages/engine/test/record-wal.ts`, after `npm run majors`.
//
// On every major that is here the workload is run, and of each form of record the first and shortest is kept, as hexadecimal digits
// with the name that the tables know it by, in src/postgres/recorded/<major>.json. Nothing of the machine is in them.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listInstallations, startCluster } from '@spillway/lab';
import { parseLsn, parseSegmentName, segmentSize } from '../src/postgres/lsn.ts';
import { changeOf, rowChange } from '../src/postgres/record-change.ts';
import { recordParts } from '../src/postgres/record-parts.ts';
import { records, type WalRecord } from '../src/postgres/walrecord.ts';
import { makeHistory, setTheScene, workloadSettings } from './wal-workload.ts';

const BYTES_MAX = 2500;
const size = segmentSize(1024 * 1024);
const target = join(import.meta.dirname, '../src/postgres/recorded');

await mkdir(target, { recursive: true });
for (const { major } of await listInstallations()) {
  if (major < 15) continue;
  await using cluster = await startCluster({
    major,
    settings: { ...workloadSettings, wal_level: 'logical' },
    walSegmentMegabytes: 1,
  });
  await setTheScene(cluster);
  const [row] = await cluster.query<{ lsn: string }>('SELECT redo_lsn::text AS lsn FROM pg_control_checkpoint()');
  const start = parseLsn(row?.lsn ?? '');
  if (start === undefined) throw new Error('the checkpoint has no position');
  await makeHistory(cluster);
  await cluster.stop('immediate');
  const folder = join(cluster.dataDirectory, 'pg_wal');
  const chunks = [];
  for (const name of (await readdir(folder)).toSorted()) {
    const named = parseSegmentName(name, size);
    if (named === undefined || named.start + BigInt(size) <= start) continue;
    chunks.push({ start: named.start, bytes: await readFile(join(folder, name)) });
  }
  const kept = new Map<string, string>();
  for (const record of records(chunks, start)) {
    if (record.length > BYTES_MAX) continue;
    const hex = Buffer.from(record.bytes).toString('hex');
    const name = formOf(record);
    const before = name === undefined ? undefined : kept.get(name);
    if (name !== undefined && (before === undefined || hex.length < before.length)) kept.set(name, hex);
  }
  const sorted = Object.fromEntries([...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(join(target, `${major}.json`), `${JSON.stringify(sorted, undefined, 2)}\n`);
}

/** What makes it another case for the decoder; undefined where it is none. */
function formOf(record: WalRecord): string | undefined {
  const change = changeOf(record);
  const parts = recordParts(record.bytes);
  const packing = parts.blocks.find(({ image }) => image !== undefined)?.image?.packing;
  const image = packing === undefined ? '' : packing === 'none' ? ', image' : `, image ${packing}`;
  switch (change?.kind) {
    case 'rows': {
      const row = rowChange(record, parts);
      const content = row !== undefined && 'content' in row ? row.content : undefined;
      const shared = content !== undefined && content.prefix + content.suffix > 0 ? ', shares' : '';
      const many = change.count > 1 ? 'many ' : '';
      const blocks = parts.blocks.length > 1 ? ', two blocks' : '';
      return `${many}${change.operation}${shared}${blocks}${image}`;
    }
    case 'ended': {
      const { outcome, prepared, subtransactions, removedFiles, redefined } = change;
      const has = [
        ...(subtransactions.length > 0 ? ['subtransactions'] : []),
        ...(removedFiles.length > 0 ? ['removed files'] : []),
        ...(redefined.length > 0 ? ['redefined'] : []),
        // Bit 8 of xinfo, where there is one: statistics that are dropped stand between the two.
        ...((record.info & 0x80) !== 0 && ((record.data[9] ?? 0) & 1) !== 0 ? ['statistics'] : []),
      ];
      return `${outcome}${prepared ? ' prepared' : ''}${has.length === 0 ? '' : `, ${has.join(', ')}`}`;
    }
    case 'database':
      return `database ${change.operation}`;
    case undefined:
      return parts.blocks.length > 0 && packing !== undefined && record.resourceManager === 0
        ? `page${image}`
        : undefined;
    case 'truncated':
    case 'file-created':
    case 'running':
    case 'checkpoint':
    case 'mapped':
      return change.kind;
  }
}
