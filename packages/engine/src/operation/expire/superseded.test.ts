import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../postgres/lsn.ts';
import { coveredPieces } from './superseded.ts';

const object = (kind: 'segment' | 'piece', start: number, end: number) => ({
  kind,
  start: lsn(BigInt(start)),
  end: lsn(BigInt(end)),
});

test('a piece is covered where one segment holds all of it', () => {
  const covered = [object('piece', 16, 20), object('piece', 20, 32), object('piece', 48, 50)];
  const open = [object('piece', 0, 8), object('piece', 40, 50), object('piece', 64, 70)];
  const objects = [...covered, ...open, object('segment', 16, 32), object('segment', 48, 64)].toSorted((a, b) =>
    Number(a.start - b.start),
  );
  assert.deepEqual(coveredPieces(objects), covered);
  assert.deepEqual(coveredPieces(open), []);
  assert.deepEqual(coveredPieces([]), []);
});
