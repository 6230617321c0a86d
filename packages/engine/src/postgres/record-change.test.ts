// The decoder over records of real servers of each major (test/record-wal.ts made them), and over what was done to their bytes.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { rowsOnPage } from './catalog-rows.ts';
import { lsn } from './lsn.ts';
import { restorePage } from './page-image.ts';
import { changeOf, rowChange, type WalChange } from './record-change.ts';
import { recordParts } from './record-parts.ts';
import { readRecord, type WalRecord } from './walrecord.ts';

const folder = join(import.meta.dirname, 'recorded');
const majors = readdirSync(folder).map((name) => Number.parseInt(name, 10));
const recorded = (major: number): ReadonlyMap<string, WalRecord> =>
  new Map(
    Object.entries(JSON.parse(readFileSync(join(folder, `${major}.json`), 'utf8')) as Record<string, string>).map(
      ([name, hex]) => [name, readRecord(Buffer.from(hex, 'hex'), lsn(0x1000000n), major)],
    ),
  );

/** Of each form what must be so on every major. */
const cases: readonly (readonly [form: string, expected: Partial<WalChange>])[] = [
  ['insert', { kind: 'rows', operation: 'insert', count: 1 }],
  ['insert, image', { kind: 'rows', operation: 'insert', count: 1 }],
  ['update', { kind: 'rows', operation: 'update', count: 1 }],
  ['update, shares', { kind: 'rows', operation: 'update', count: 1 }],
  ['update, two blocks', { kind: 'rows', operation: 'update', count: 1 }],
  ['delete', { kind: 'rows', operation: 'delete', count: 1 }],
  ['truncated', { kind: 'truncated' }],
  ['file-created', { kind: 'file-created' }],
  ['database created', { kind: 'database', operation: 'created' }],
  ['database dropped', { kind: 'database', operation: 'dropped' }],
  ['mapped', { kind: 'mapped' }],
  ['running', { kind: 'running' }],
  ['checkpoint', { kind: 'checkpoint' }],
  ['commit', { kind: 'ended', outcome: 'commit', prepared: false, subtransactions: [], removedFiles: [] }],
  ['commit, redefined', { kind: 'ended', outcome: 'commit' }],
  ['commit, removed files, redefined, statistics', { kind: 'ended', outcome: 'commit' }],
  ['commit, subtransactions', { kind: 'ended', outcome: 'commit' }],
  ['commit prepared', { kind: 'ended', outcome: 'commit', prepared: true }],
  ['abort', { kind: 'ended', outcome: 'abort', prepared: false }],
];

test('every major was recorded', () =>
  assert.deepEqual(
    majors.toSorted((a, b) => a - b),
    [15, 16, 17, 18],
  ));

for (const major of majors) {
  suite(`of PostgreSQL ${major}`, () => {
    const all = recorded(major);

    for (const [form, expected] of cases) {
      test(form, () => {
        const record = all.get(form);
        assert.ok(record !== undefined, `only ${[...all.keys()].join('; ')}`);
        assert.ok(record.crcOk);
        assert.partialDeepStrictEqual(changeOf(record), expected);
      });
    }

    test('rows, files and transactions are where the record has them', () => {
      const one = (form: string): WalChange => {
        const record = all.get(form);
        const change = record && changeOf(record);
        assert.ok(change !== undefined, form);
        return change;
      };
      const commit = one('commit, removed files, redefined, statistics');
      assert.ok(commit.kind === 'ended');
      for (const { tablespace, database, number } of commit.removedFiles) {
        assert.equal(tablespace, 1663);
        assert.ok(database < 20_000 && number >= 16_384 && number < 20_000);
      }
      // They stand behind the statistics that are dropped, whose items are longer with 18.
      assert.ok(commit.redefined.length > 0);
      for (const { database, relation } of commit.redefined) {
        assert.ok(database === 0 || database === commit.removedFiles[0]?.database, `database ${database}`);
        assert.ok(relation > 0 && relation < 20_000, `relation ${relation}`);
      }
      const year = new Date(Number(commit.atMicros / 1000n)).getUTCFullYear();
      assert.ok(year >= 2026 && year < 2100, `${year}`);
      const checkpoint = one('checkpoint');
      assert.ok(checkpoint.kind === 'checkpoint');
      assert.ok(Math.abs(checkpoint.at - Number(commit.atMicros / 1_000_000n)) < 3600);
      const running = one('running');
      assert.ok(running.kind === 'running' && running.oldestXid <= running.nextXid && running.oldestXid > 700);
      const nested = one('commit, subtransactions');
      assert.ok(
        nested.kind === 'ended' && nested.subtransactions.every((xid) => xid > nested.xid && xid < nested.xid + 5),
      );
      const prepared = one('commit prepared');
      const ends = all.get('commit prepared');
      assert.ok(prepared.kind === 'ended' && prepared.xid !== 0 && ends !== undefined && prepared.xid !== ends.xid);
      const map = one('mapped');
      assert.ok(map.kind === 'mapped' && map.files.get(1259) !== undefined && map.files.size > 10);
    });

    test('images are whole pages again, however they were packed', () => {
      const packed = [...all].filter(([form]) => form.includes('image'));
      for (const packing of major === 15 ? ['image pglz', 'image lz4', 'image zstd'] : ['image pglz']) {
        assert.ok(
          packed.some(([form]) => form.includes(packing)),
          packing,
        );
      }
      for (const [form, record] of packed) {
        for (const { image } of recordParts(record.bytes).blocks) {
          if (image === undefined) continue;
          const page = restorePage(image);
          assert.equal(page.byteLength, 8192, form);
          // pd_lower and pd_upper are the hole, pd_pagesize_version stands as it must.
          const view = new DataView(page.buffer);
          assert.equal(view.getUint16(18, true), 8192 + 4, form);
          assert.ok(image.holeLength === 0 || view.getUint16(12, true) === image.holeOffset, form);
          if (form.includes('insert')) {
            const heads = [...rowsOnPage(page)].map(({ row }) => row[22] ?? 0);
            assert.ok(heads.length > 0 && heads.every((bytes) => bytes >= 24 && bytes % 8 === 0), form);
          }
        }
      }
    });

    test('whatever is done to a record, the decoder gives something or says that the record is wrong', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...all.values()),
          fc.nat(),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
          ({ bytes }, cut, changes) => {
            const torn = Uint8Array.from(
              bytes.subarray(0, cut % 2 === 0 ? bytes.byteLength : 24 + (cut % bytes.byteLength)),
            );
            for (const [at, byte] of changes) torn[16 + (at % Math.max(1, torn.byteLength - 16))] = byte;
            for (const decode of [changeOf, rowChange, imagesOf]) {
              try {
                decode(readRecord(torn, lsn(0x1000000n), major));
              } catch (error) {
                if (!isSpillwayError(error, 'SPW_WAL_INVALID')) throw error;
              }
            }
          },
        ),
        { numRuns: 1000 },
      );
    });
  });
}

const imagesOf = (record: WalRecord): readonly Uint8Array[] =>
  recordParts(record.bytes).blocks.flatMap(({ image }) => (image === undefined ? [] : [restorePage(image)]));
