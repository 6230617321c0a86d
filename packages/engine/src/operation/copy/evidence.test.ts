import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EvidenceRecord, verdicts } from '../../repository/evidence.ts';
import { evidenceToCopy } from './evidence.ts';

const record = (id: string, backup: string | null, result: EvidenceRecord['result']): EvidenceRecord => ({
  id,
  kind: 'verification',
  cluster: 'main',
  backup,
  level: 'data',
  result,
  started_at: id,
  finished_at: id,
  details: {},
});

test('what failed at the source says nothing of the copy and stays there', () => {
  const source = [record('1', 'a', 'passed'), record('2', 'a', 'failed'), record('3', null, 'failed')];
  assert.deepEqual(
    evidenceToCopy(source, []).map(({ id }) => id),
    ['1', '3'],
  );
});

test('what passed elsewhere never clears a failure at the place', () => {
  const records = fc.uniqueArray(
    fc
      .tuple(fc.integer({ min: 100, max: 999 }), fc.constantFrom('a', 'b'), fc.constantFrom('passed', 'failed'))
      .map(([id, backup, result]) => record(String(id), backup, result)),
    { selector: ({ id }) => id, maxLength: 12 },
  );
  fc.assert(
    fc.property(records, records, (source, target) => {
      const own = target
        .filter(({ id }) => !source.some((each) => each.id === id))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const all = [...own, ...evidenceToCopy(source, own)].toSorted((a, b) => (a.id < b.id ? -1 : 1));
      for (const [backup, before] of verdicts(own)) {
        if (before.result === 'failed') assert.equal(verdicts(all).get(backup)?.result, 'failed');
      }
      for (const [backup, { result }] of verdicts(all)) {
        if (result === 'failed') assert.equal(verdicts(own).get(backup)?.result, 'failed');
      }
    }),
  );
});
