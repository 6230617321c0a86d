import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import fc from 'fast-check';
import { chooseBackup, leadingTo, randomMoment } from './choice.ts';

const backups = [
  { id: '20261101T000000Z-aaaa1111', finished_at: '2026-11-01T00:00:10.000Z' },
  { id: '20261102T000000Z-bbbb2222', finished_at: '2026-11-02T00:00:10.000Z' },
  { id: '20261103T000000Z-aabb3333', finished_at: '2026-11-03T00:00:10.000Z' },
];

test('each choice takes the backup that it says, of those before the target', () => {
  const before = new Date('2026-11-02T12:00:00Z');
  const cases: readonly (readonly [choice: string, before: Date | undefined, chance: number, taken: number])[] = [
    ['latest', undefined, 0, 2],
    ['latest', before, 0, 1],
    ['oldest', undefined, 0, 0],
    ['random', undefined, 0, 0],
    ['random', undefined, 0.999, 2],
    ['random', before, 0.999, 1],
    ['aaaa', undefined, 0, 0],
    ['20261102', undefined, 0, 1],
  ];
  for (const [choice, limit, chance, taken] of cases) {
    assert.equal(chooseBackup(backups, choice, limit, chance), backups[taken], choice);
  }
});

test('of a position, those backups lead to it that had ended by then', () => {
  const ended = ['0/2000100', '0/A000100', '1/0'].map((stop) => ({ stop_lsn: stop }));
  const cases: readonly (readonly [lsn: string, leading: number])[] = [
    ['0/2000100', 1],
    ['0/9FFFFFF', 1],
    ['0/FFFFFFFF', 2],
    ['1/0', 3],
    ['0/1', 3],
  ];
  for (const [lsn, leading] of cases) assert.equal(leadingTo(ended, lsn).length, leading, lsn);
});

test('no backup, none early enough, and a word that means none or several are refused', () => {
  const early = new Date('2026-10-01T00:00:00Z');
  assert.throws(
    () => chooseBackup([], 'latest', undefined, 0),
    (e) => isSpillwayError(e, 'SPW_TARGET_UNREACHABLE'),
  );
  assert.throws(
    () => chooseBackup(backups, 'latest', early, 0),
    (e) => isSpillwayError(e, 'SPW_TARGET_UNREACHABLE'),
  );
  for (const word of ['ffff', 'aa']) {
    assert.throws(
      () => chooseBackup(backups, word, undefined, 0),
      (e) => isSpillwayError(e, 'SPW_BACKUP_UNKNOWN'),
      word,
    );
  }
});

test('a random moment lies between the end of the backup and the end of WAL, as exact as its text', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (chance) => {
      const [backup = { id: '', finished_at: '' }] = backups;
      const target = randomMoment(backup, '2026-11-09T10:00:00.000Z', chance);
      assert.ok(target.kind === 'time');
      assert.ok(target.at.getTime() >= Date.parse(backup.finished_at));
      assert.ok(target.at.getTime() < Date.parse('2026-11-09T10:00:00.000Z'));
      assert.equal(Date.parse(target.text.replace(' ', 'T')), target.at.getTime());
    }),
  );
  const [backup = { id: '', finished_at: '' }] = backups;
  for (const latest of [null, '2026-10-01T00:00:00Z']) {
    assert.throws(
      () => randomMoment(backup, latest, 0),
      (e) => isSpillwayError(e, 'SPW_TARGET_UNREACHABLE'),
    );
  }
});
