import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EvidenceSeen, GUESS, type RtoGiven, type Sample, samplesOf, scenarios, stretch } from './rto.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const sample = (change: Partial<Sample> = {}): Sample => ({
  evidence: 'e1',
  kind: 'restore',
  at: '2026-11-28T10:00:00.000Z',
  lay: { seconds: 100, bytes: 10 * GIB },
  recover: { seconds: 50, bytes: GIB },
  seconds: 160,
  ...change,
});

const given = (change: Partial<RtoGiven> = {}): RtoGiven => ({
  samples: [],
  tableSamples: [],
  bytes: 10 * GIB,
  walBytes: GIB,
  walBytesMost: 0,
  readBytesPerSecond: undefined,
  objectiveSeconds: 3600,
  ...change,
});

test('a recovery is stretched to today, and is never expected to be faster than it was', () => {
  const cases: readonly (readonly [
    name: string,
    sample: Sample,
    bytes: number,
    wal: number,
    seconds: number,
    guessed: boolean,
  ])[] = [
    ['the same', sample(), 10 * GIB, GIB, 160, false],
    ['less', sample(), GIB, MIB, 160, false],
    ['twice the files', sample(), 20 * GIB, GIB, 260, false],
    ['ten times the WAL', sample(), 10 * GIB, 10 * GIB, 610, false],
    [
      'a night without WAL says little of a day with it',
      sample({ recover: { seconds: 2, bytes: MIB }, seconds: 102 }),
      10 * GIB,
      MIB + 50e6 * 60,
      162,
      true,
    ],
  ];
  for (const [name, from, bytes, wal, seconds, guessed] of cases) {
    const found = stretch(from, bytes, wal);
    assert.deepEqual({ ...found, seconds: Math.round(found.seconds) }, { seconds, guessed }, name);
  }
});

test('more to bring back never takes less', () => {
  const amount = fc.integer({ min: 0, max: 50 * GIB });
  fc.assert(
    fc.property(amount, amount, amount, amount, amount, (measured, wal, bytes, less, more) => {
      const from = sample({ lay: { seconds: 100, bytes: measured }, recover: { seconds: 9, bytes: wal } });
      const [low, high] = [Math.min(less, more), Math.max(less, more)];
      assert.ok(stretch(from, bytes, low).seconds <= stretch(from, bytes, high).seconds + 1e-6);
      assert.ok(stretch(from, low, bytes).seconds <= stretch(from, high, bytes).seconds + 1e-6);
      assert.ok(stretch(from, bytes, low).seconds >= from.seconds - 1e-6);
    }),
  );
});

test('what was never measured is a guess that is called one, and misses nothing', () => {
  const [lost, corrupted, table] = scenarios(given());
  assert.equal(lost?.basis, 'guess');
  assert.match(lost?.from ?? '', /never measured: a guess/);
  assert.equal(lost?.state, 'unproven');
  assert.equal(lost?.proof, null);
  assert.equal(table?.basis, 'guess');
  assert.equal(table?.expected_seconds, (corrupted?.expected_seconds ?? 0) + GUESS.tableSeconds);
  assert.equal(scenarios(given({ objectiveSeconds: 60 }))[0]?.state, 'at-risk');
});

test('of the newest recoveries the slowest counts, and the newest is the proof', () => {
  const old = sample({ evidence: 'old', at: '2026-01-01T00:00:00.000Z', seconds: 9000 });
  const recent = [1, 2, 3, 4, 5].map((n) =>
    sample({ evidence: `e${n}`, at: `2026-11-2${n}T00:00:00.000Z`, seconds: n === 2 ? 400 : 160 }),
  );
  const [lost] = scenarios(given({ samples: [old, ...recent] }));
  assert.equal(lost?.expected_seconds, 400);
  assert.match(lost?.from ?? '', /e2, the slowest of the newest 5/);
  assert.equal(lost?.proof?.evidence, 'e5');
  const states = [3600, 450, 399].map(
    (objectiveSeconds) => scenarios(given({ samples: recent, objectiveSeconds }))[0]?.state,
  );
  assert.deepEqual(states, ['met', 'at-risk', 'missed']);
});

test('to the worst moment there is as much WAL to replay as lies between two backups', () => {
  const [lost, corrupted] = scenarios(given({ samples: [sample()], walBytesMost: 10 * GIB }));
  assert.equal(lost?.expected_seconds, 160);
  assert.equal(corrupted?.expected_seconds, 610);
});

test('only records that passed and tell their phases are measured by', () => {
  const record = (kind: string, change: Partial<EvidenceSeen> = {}): EvidenceSeen => ({
    id: `${kind}-1`,
    kind,
    level: 'restore',
    result: 'passed',
    started_at: '2026-11-28T10:00:00.000Z',
    finished_at: '2026-11-28T10:03:00.000Z',
    details: {
      phases: [
        { name: 'plan', seconds: 1, bytes: null },
        { name: 'lay', seconds: 100, bytes: 5000 },
        { name: 'start-and-recover', seconds: 20, bytes: null },
      ],
      wal_bytes: 700,
    },
    ...change,
  });
  const { whole, table } = samplesOf([
    record('restore'),
    record('drill', { details: { ...record('drill').details, rto_seconds: 140 } }),
    record('verification'),
    record('verification', { level: 'data' }),
    record('restore', { result: 'failed' }),
    record('restore', { details: {} }),
    record('restore', { details: { phases: 'none' } }),
    record('key-check'),
    record('table-restore'),
  ]);
  assert.deepEqual(
    whole.map(({ kind, seconds, lay, recover }) => [kind, seconds, lay.bytes, recover.bytes]),
    [
      ['restore', 180, 5000, 700],
      ['drill', 140, 5000, 700],
      ['verification', 180, 5000, 700],
    ],
  );
  assert.equal(table.length, 1);
  const plain = samplesOf([record('table-restore', { details: { how: 'beside' } })]).table;
  const [, , one] = scenarios(given({ samples: whole, tableSamples: plain }));
  assert.deepEqual([one?.basis, one?.expected_seconds], ['measured', 180]);
});
