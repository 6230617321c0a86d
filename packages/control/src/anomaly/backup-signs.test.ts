import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BackupFigures, signsOfBackups } from './backup-signs.ts';

const MIB = 2 ** 20;
const CHUNK = 262_144;

/** A cluster of a hundred MiB, of which `share` is new and compresses to `ratio`. */
const backup = (id: string, share: number, ratio: number, bytes = 100 * MIB): BackupFigures => {
  const chunks = Math.round(bytes / CHUNK);
  const fresh = Math.round(chunks * share);
  return {
    id,
    system_identifier: '1',
    bytes,
    new_bytes: fresh * CHUNK,
    stored_bytes: Math.round(fresh * CHUNK * ratio),
    chunks,
    new_chunks: fresh,
  };
};

const usual = [backup('a', 1, 0.3), backup('b', 0.05, 0.35), backup('c', 0.04, 0.3), backup('d', 0.06, 0.32)];

test('what a backup stored, against the median of those before it', () => {
  const cases: readonly (readonly [name: string, last: BackupFigures, signs: readonly string[]])[] = [
    ['as usual', backup('e', 0.05, 0.3), []],
    ['twice as much', backup('e', 0.1, 0.3), []],
    ['a bulk load of text', backup('e', 0.6, 0.3), ['new-chunks warning']],
    ['photographs', backup('e', 0.1, 0.98), ['incompressible warning']],
    ['encrypted in place', backup('e', 0.9, 1.01), ['encrypted alarm']],
    ['encrypted, and the rows before it still there', backup('e', 0.5, 0.6), ['encrypted alarm']],
    ['a third of the bytes', backup('e', 0.05, 0.3, 35 * MIB), ['smaller warning']],
    ['a tenth of the bytes', backup('e', 0.05, 0.3, 10 * MIB), ['smaller alarm']],
    ['another system under the old name', { ...backup('e', 1, 1), system_identifier: '2' }, []],
  ];
  for (const [name, last, signs] of cases) {
    const found = signsOfBackups([...usual, last]);
    assert.deepEqual(
      found.map(({ rule, severity }) => `${rule} ${severity}`),
      signs,
      name,
    );
    for (const { key, figures } of found) {
      assert.match(key, / e$/);
      assert.ok(Object.keys(figures).length >= 2, 'the figures are told');
    }
  }
});

test('where much is new every time, the compression alone tells', () => {
  const busy = [backup('a', 1, 0.3), backup('b', 0.4, 0.3), backup('c', 0.5, 0.3)];
  const rules = (last: BackupFigures) => signsOfBackups([...busy, last]).map(({ rule }) => rule);
  assert.deepEqual(rules(backup('e', 0.9, 0.3)), []);
  assert.deepEqual(rules(backup('e', 0.5, 0.65)), ['encrypted']);
});

test('the first backups have nothing to be held against', () => {
  assert.deepEqual(signsOfBackups([backup('a', 1, 0.3), backup('b', 0.01, 0.3), backup('c', 0.9, 1)]), []);
});

test('a small change of a small cluster is left alone', () => {
  const small = usual.map((each) => ({ ...each, bytes: 10 * MIB, new_chunks: 2, new_bytes: 2 * CHUNK }));
  const last = {
    ...backup('e', 0, 0),
    new_chunks: 20,
    new_bytes: 3 * MIB,
    stored_bytes: 3 * MIB,
    chunks: 40,
    bytes: 10 * MIB,
  };
  assert.deepEqual(signsOfBackups([...small, last]), []);
});

test('an attack stays told while the backups are there', () => {
  const found = signsOfBackups([...usual, backup('e', 0.9, 1), backup('f', 0.05, 0.3), backup('g', 0.05, 0.3)]);
  assert.deepEqual(
    found.map(({ key }) => key),
    ['encrypted e'],
  );
});

test('steady histories raise nothing: growth, and shares and ratios that swing up to twofold', () => {
  const history = fc.record({
    bytes: fc.integer({ min: MIB, max: 4000 * MIB }),
    share: fc.double({ min: 0.001, max: 0.5, noNaN: true }),
    ratio: fc.double({ min: 0.1, max: 1, noNaN: true }),
    swings: fc.array(
      fc.record({
        growth: fc.double({ min: 0.98, max: 1.05, noNaN: true }),
        share: fc.double({ min: 1, max: 2, noNaN: true }),
        ratio: fc.double({ min: 0.9, max: 1.1, noNaN: true }),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  });
  fc.assert(
    fc.property(history, ({ bytes, share, ratio, swings }) => {
      let size = bytes;
      const backups = [backup('0', 1, ratio, bytes)];
      for (const [at, swing] of swings.entries()) {
        size *= swing.growth;
        backups.push(backup(String(at + 1), Math.min(1, share * swing.share), ratio * swing.ratio, Math.round(size)));
      }
      assert.deepEqual(signsOfBackups(backups), []);
    }),
  );
});
