import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHUNK_BYTES, CHUNK_ID_BYTES } from './chunk.ts';
import { DUMP_FRAME_BYTES, type DumpManifest, type DumpSummary, encodeDump, parseDump, parseDumpHead } from './dump.ts';

const summary: DumpSummary = {
  id: '20261123T181500Z-1a2b3c4d',
  cluster: 'main',
  source: 'logical',
  started_at: '2026-11-23T18:15:00.000Z',
  finished_at: '2026-11-23T18:15:01.000Z',
  duration_seconds: 1,
  system_identifier: null,
  postgres_version: 150_018,
  tool_version: '15.18',
  lsn: '0/2000028',
  databases: [],
  globals: true,
  role_passwords: false,
  bytes: 600_000,
  new_bytes: 0,
  stored_bytes: 0,
  chunks: 4,
  new_chunks: 0,
};
const manifest: DumpManifest = {
  head: {
    summary,
    streams: [
      { kind: 'globals', bytes: 10, chunks: 1 },
      { kind: 'database', database: 'a "b"', bytes: CHUNK_BYTES + 5, chunks: 2 },
      { kind: 'database', database: 'c', bytes: 70_000, chunks: 1 },
    ],
  },
  chunkIds: new Uint8Array(4 * CHUNK_ID_BYTES).map((_, i) => i % 251),
  lengths: Uint32Array.of(10, CHUNK_BYTES, 5, 70_000),
};

test('the manifest of a dump is read back as it was written', () => {
  const frames = encodeDump(manifest);
  assert.equal(frames.length, 3);
  const parsed = parseDump(frames);
  assert.deepEqual(parsed.head, manifest.head);
  assert.ok(Buffer.from(manifest.chunkIds).equals(parsed.chunkIds));
  assert.deepEqual([...parsed.lengths], [...manifest.lengths]);
  assert.deepEqual(parseDumpHead(frames[0] ?? new Uint8Array()), manifest.head);
});

test('the bytes of a manifest of a dump are those of format 1', () => {
  const [head, ids, lengths] = encodeDump(manifest).map((frame) => Buffer.from(frame));
  assert.deepEqual(JSON.parse(head?.toString() ?? ''), { ...manifest.head, id_frames: 1 });
  assert.ok(ids?.equals(manifest.chunkIds));
  assert.equal(lengths?.toString('hex'), '0a000000000004000500000070110100');
});

test('many chunks go into several frames', () => {
  const chunks = DUMP_FRAME_BYTES / CHUNK_ID_BYTES + 1;
  const large: DumpManifest = {
    head: { summary, streams: [{ kind: 'globals', bytes: chunks, chunks }] },
    chunkIds: new Uint8Array(chunks * CHUNK_ID_BYTES),
    lengths: new Uint32Array(chunks).fill(1),
  };
  const frames = encodeDump(large);
  assert.equal(frames.length, 1 + 2 + 1);
  assert.equal(parseDump(frames).lengths.length, chunks);
});

test('frames that do not fit one another are refused', () => {
  const [head, ids, lengths] = encodeDump(manifest);
  assert.ok(head && ids && lengths);
  const json = (change: object): Uint8Array =>
    Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(head).toString()) as object), ...change }));
  const altered = (at: number, value: number): Uint8Array => {
    const copy = Buffer.from(lengths);
    copy.writeUInt32LE(value, at * 4);
    return copy;
  };
  const cases: readonly (readonly [frames: readonly Uint8Array[], why: RegExp])[] = [
    [[], /no frame/],
    [[head], /fewer frames/],
    [[head, ids], /lengths/],
    [[head, ids.subarray(1), lengths], /chunk ids do not fit/],
    [[head, ids, lengths.subarray(4)], /lengths/],
    [[head, ids, altered(0, 0)], /a chunk of 0 bytes/],
    [[head, ids, altered(1, CHUNK_BYTES + 1)], /a chunk of 262145 bytes/],
    [[head, ids, altered(2, 6)], /lengths/],
    [[json({ summary: {} }), ids, lengths], /no summary/],
    [[json({ streams: 3 }), ids, lengths], /no streams/],
    [[json({ id_frames: -1 }), ids, lengths], /count its frames/],
    [[Buffer.from('{'), ids, lengths], /JSON/],
  ];
  for (const [frames, why] of cases) assert.throws(() => parseDump(frames), why);
});
