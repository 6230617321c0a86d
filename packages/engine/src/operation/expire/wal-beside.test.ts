import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lsn, segmentName, segmentSize, timelineId } from '../../postgres/lsn.ts';
import type { WalObject } from '../wal/archive.ts';
import { besideExpired, type StoredBeside } from './wal-beside.ts';

const SIZE = segmentSize(1 << 20);
const ONE = timelineId(1);
const at = (segments: number) => lsn(BigInt(segments * SIZE));
const file = (kind: StoredBeside['kind'], name: string): StoredBeside => ({
  kind,
  timeline: ONE,
  name,
  object: { name, storedBytes: 1 },
});
const beside = (n: number, suffix: 'backup' | 'partial'): StoredBeside => {
  const ending = suffix === 'backup' ? '.00000028.backup' : '.partial';
  return file(suffix === 'backup' ? 'walBackup' : 'walPartial', segmentName(ONE, at(n), SIZE) + ending);
};
const hex = (n: number): string => at(n).toString(16).toUpperCase().padStart(16, '0');
const gap = (from: number, to: number): StoredBeside => file('walGap', `${hex(from)}-${hex(to)}.gap`);
const wal = (n: number): WalObject => ({
  name: String(n),
  kind: 'segment',
  timeline: ONE,
  start: at(n),
  end: at(n + 1),
  storedBytes: 1,
});
const going = (files: readonly StoredBeside[], kept: readonly number[], line: number | undefined): readonly string[] =>
  besideExpired(files, kept.map(wal), line === undefined ? [] : [new Map([[ONE, at(line)]])], SIZE).map(
    ({ name }) => name,
  );

test('What stands beside WAL goes where its segment lies below the line and nothing that stays touches it', () => {
  const files = [beside(3, 'backup'), beside(5, 'partial'), beside(9, 'backup'), beside(10, 'partial')];
  const names = files.map(({ name }) => name);
  assert.deepEqual(going(files, [10, 11], 10), names.slice(0, 3));
  assert.deepEqual(going(files, [5, 10], 10), [names[0], names[2]]);
  assert.deepEqual(going(files, [], undefined), []);
});

test('The record of a gap stays as long as the WAL on one side of it does', () => {
  const files = [gap(4, 6)];
  const cases: readonly (readonly [kept: readonly number[], line: number, goes: boolean])[] = [
    [[10], 10, true],
    [[3, 10], 10, false],
    [[6, 10], 10, false],
    [[2, 10], 10, true],
    [[10], 5, false],
    [[6], 6, false],
  ];
  for (const [kept, line, goes] of cases) {
    assert.deepEqual(going(files, kept, line), goes ? files.map(({ name }) => name) : [], `${kept.join()} ${line}`);
  }
  assert.deepEqual(going([file('walGap', 'odd.gap')], [], 10), []);
});
