import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pgBackRestFeatures } from './pgbackrest.ts';

test('bundles came with 2.39 and blocks with 2.46', () => {
  const cases: readonly (readonly [version: string, bundles: boolean, blocks: boolean])[] = [
    ['pgBackRest 2.9', false, false],
    ['pgBackRest 2.38', false, false],
    ['pgBackRest 2.39', true, false],
    ['pgBackRest 2.45', true, false],
    ['pgBackRest 2.46', true, true],
    ['pgBackRest 2.60.0', true, true],
    ['pgBackRest 3.0dev', true, true],
    ['something else', false, false],
  ];
  for (const [version, bundles, blocks] of cases) {
    assert.deepEqual(pgBackRestFeatures(version), { bundles, blocks }, version);
  }
});
