import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK_BYTES, CHUNK_ID_BYTES, chunkCount } from './chunk.ts';
import type { Entry } from './entry.ts';
import {
  CHUNK_IDS_FRAME_BYTES,
  encodeManifest,
  type Manifest,
  type ManifestHead,
  parseManifest,
  parseManifestHead,
} from './manifest.ts';
import { FRAME_PLAIN_BYTES_MAX } from './object.ts';
import { ENTRIES_PER_FRAME } from './packed-entries.ts';

const golden = JSON.parse(readFileSync(new URL('golden/manifest.json', import.meta.url), 'utf8')) as {
  readonly head: ManifestHead;
  readonly entries: readonly Entry[];
  readonly frames: readonly string[];
};

const plain = { noNullPrototype: true } as const;
const u31 = fc.nat();
const attributes = { mode: fc.nat(0o7777), uid: u31, gid: u31, path: fc.string({ unit: 'binary' }) };
const tablespace = fc.option(u31, { nil: undefined }).map((oid) => (oid === undefined ? {} : { tablespace: oid }));
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc
    .tuple(
      fc.record(
        {
          ...attributes,
          kind: fc.constant('file' as const),
          bytes: fc.nat(5 * CHUNK_BYTES),
          mtime: fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String),
          ctime: fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String),
          inode: fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
        },
        plain,
      ),
      tablespace,
    )
    .map(([file, where]) => ({ ...file, ...where })),
  fc
    .tuple(fc.record({ ...attributes, kind: fc.constant('directory' as const) }, plain), tablespace)
    .map(([folder, where]) => ({ ...folder, ...where })),
  fc.record(
    { kind: fc.constant('link' as const), path: attributes.path, target: fc.string({ unit: 'binary' }) },
    plain,
  ),
);

const idsOf = (entries: readonly Entry[]): Uint8Array =>
  new Uint8Array(
    entries.reduce((sum, each) => sum + (each.kind === 'file' ? chunkCount(each.bytes) : 0), 0) * CHUNK_ID_BYTES,
  ).map((_, i) => i % 251);
/** The golden manifest is of the first writers, whose summaries did not say these yet. */
const today: ManifestHead = {
  ...golden.head,
  summary: {
    ...golden.head.summary,
    taken_from: 'primary',
    unchanged_by: null,
    unchanged_chunks: null,
    damaged_page_count: 1,
  },
};
const manifestOf = (entries: readonly Entry[]): Manifest => ({ head: today, entries, chunkIds: idsOf(entries) });
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const link = (n: number): Entry => ({ kind: 'link', path: `pg_tblspc/${n}`, target: '/elsewhere' });

test('the frames of a manifest are those of format 1', () => {
  const frames = [...encodeManifest({ ...manifestOf(golden.entries), head: golden.head })];
  assert.deepEqual(
    frames.map((frame, i) => Buffer.from(frame).toString(i < 2 ? 'utf8' : 'hex')),
    golden.frames,
  );
});

test('a manifest is read back as it was written', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const manifest = manifestOf(entries);
      const frames = [...encodeManifest(manifest)];
      const parsed = parseManifest(frames);
      assert.deepEqual(
        { ...parsed, entries: [...parsed.entries], chunkIds: new Uint8Array(parsed.chunkIds) },
        manifest,
      );
      // Packed entries are written as they are, and others packed first: the same frames.
      assert.deepEqual([...encodeManifest(parsed)].slice(1), frames.slice(1));
      assert.deepEqual(parseManifestHead(frames[0] ?? new Uint8Array()), manifest.head);
    }),
  );
});

test('what the first summaries did not say is filled in', () => {
  const frames = golden.frames.map((frame, i) => Buffer.from(frame, i < 2 ? 'utf8' : 'hex'));
  assert.deepEqual(parseManifest(frames).head, today);
  const incremental = { ...golden.head.summary, type: 'incremental' };
  const [first] = encodeManifest({ ...manifestOf([]), head: { ...golden.head, summary: incremental } as ManifestHead });
  assert.equal(parseManifestHead(first ?? new Uint8Array()).summary.unchanged_by, 'times');
});

test('many entries and many chunk ids go into several frames, none larger than a frame may be', () => {
  const links = Array.from({ length: 2 * ENTRIES_PER_FRAME + 1 }, (_, n) => link(n));
  const [file] = golden.entries.filter((each) => each.kind === 'file');
  assert.ok(file);
  const large = { ...file, bytes: (CHUNK_IDS_FRAME_BYTES / CHUNK_ID_BYTES) * CHUNK_BYTES + 1 };
  const manifest = manifestOf([...links, large]);
  const frames = [...encodeManifest(manifest)];
  assert.equal(frames.length, 1 + 3 + 2);
  assert.ok(frames.every((frame) => frame.byteLength <= FRAME_PLAIN_BYTES_MAX));
  const parsed = parseManifest(frames);
  assert.deepEqual([...parsed.entries], manifest.entries);
  assert.equal(parsed.entries.length, manifest.entries.length);
  assert.equal([...encodeManifest(parsed)].length, frames.length);
  assert.ok(Buffer.from(manifest.chunkIds).equals(parsed.chunkIds));
});

test('frames that do not fit one another are refused', () => {
  const frames = encodeManifest(manifestOf(golden.entries));
  const [head, entries, ids] = frames;
  assert.ok(head && entries && ids);
  const cases: readonly (readonly [frames: readonly Uint8Array[], why: RegExp])[] = [
    [[], /no frame/],
    [[head], /fewer frames/],
    [[head, entries], /chunk ids do not fit/],
    [[head, entries, ids.subarray(1)], /chunk ids do not fit/],
    [[head, entries, ids, ids], /chunk ids do not fit/],
    [[head, json([]), ids], /chunk ids do not fit/],
    [[json({}), entries, ids], /no summary/],
    [[json(golden.head), entries, ids], /count its entry frames/],
    [[json({ ...golden.head, entry_frames: 0 }), entries, ids], /count its entry frames/],
    [[json({ ...golden.head, entry_frames: 1, chunk_bytes: 4096 }), entries, ids], /4096 bytes/],
    [[Buffer.from('{"summary'), entries, ids], /JSON/],
  ];
  for (const [each, why] of cases) assert.throws(() => parseManifest(each), why);
});
