// Counting is exact: each lost commit is found, and the recovery point is where the first loss begins.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Moment } from '@spillway/lab';
import { type Acknowledgement, commitKey, Ledger, measureLoss } from './ledger.ts';

const at = (seconds: number): Moment => ({ wall: seconds * 1000, monotonic: seconds * 1000 });
const notes: readonly Acknowledgement[] = [
  { client: 1, sequence: 1, moment: at(1) },
  { client: 2, sequence: 1, moment: at(2) },
  { client: 1, sequence: 2, moment: at(3) },
  { client: 2, sequence: 2, moment: at(4) },
];
const all = notes.map(({ client, sequence }) => commitKey(client, sequence));

const cases: readonly {
  readonly name: string;
  readonly found: readonly string[];
  readonly lost: number;
  readonly unacknowledged: number;
  readonly rpo: number;
}[] = [
  { name: 'everything is there', found: all, lost: 0, unacknowledged: 0, rpo: 0 },
  { name: 'the newest is lost', found: all.slice(0, 3), lost: 1, unacknowledged: 0, rpo: 2 },
  {
    name: 'one in the middle is lost: all after it is in doubt',
    found: ['1/1', '1/2', '2/2'],
    lost: 1,
    unacknowledged: 0,
    rpo: 4,
  },
  { name: 'everything is lost', found: [], lost: 4, unacknowledged: 0, rpo: 5 },
  { name: 'one is there that was never acknowledged', found: [...all, '1/3'], lost: 0, unacknowledged: 1, rpo: 0 },
  {
    name: 'one is lost and another was never acknowledged',
    found: ['1/1', '2/1', '1/2', '1/3'],
    lost: 1,
    unacknowledged: 1,
    rpo: 2,
  },
];

for (const { name, found, lost, unacknowledged, rpo } of cases) {
  test(`of four commits, ${name}`, () => {
    assert.deepEqual(measureLoss(notes, new Set(found), at(5), at(0)), {
      acknowledged: 4,
      lost,
      unacknowledged,
      rpo_seconds: rpo,
    });
  });
}

test('a commit noted after the blow that is lost does not make the loss negative', () => {
  const late = [
    { client: 1, sequence: 1, moment: at(4) },
    { client: 1, sequence: 2, moment: at(6) },
  ];
  assert.equal(measureLoss(late, new Set(['1/1']), at(3), at(0)).rpo_seconds, 0);
});

test('lost and found add up, whatever was lost', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 200 })),
      fc.uniqueArray(fc.integer({ min: 1, max: 200 })),
      (noted, present) => {
        const acknowledged = noted.map((sequence, index) => ({ client: 1, sequence, moment: at(index) }));
        const found = new Set(present.map((sequence) => commitKey(1, sequence)));
        const loss = measureLoss(acknowledged, found, at(1000), at(-1));
        assert.equal(loss.lost, noted.filter((sequence) => !present.includes(sequence)).length);
        assert.equal(loss.unacknowledged, present.filter((sequence) => !noted.includes(sequence)).length);
        assert.equal(loss.rpo_seconds === 0, loss.lost === 0);
      },
    ),
  );
});

test('every note is in the file when the ledger is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-ledger-'));
  try {
    const file = join(folder, 'acknowledged');
    {
      await using ledger = new Ledger(file);
      for (let sequence = 1; sequence <= 500; sequence += 1) ledger.note(3, sequence);
      assert.equal(ledger.notes.length, 500);
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 500);
    assert.match(lines[499] ?? '', /^3 500 \d{4}-\d\d-\d\dT[\d:.]+Z \d+\.\d{3}$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
