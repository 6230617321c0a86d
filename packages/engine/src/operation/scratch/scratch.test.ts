// Decisions about scratch clusters: whose owner lives, what may be removed, and what counts as a marker.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseScratchMarker, type ScratchMarker } from './marker.ts';
import { judgeOwner, type Owner } from './owner.ts';
import { stateOf } from './remove.ts';

const OWNER: Owner = { host: 'db1', boot: 'b1', namespace: 'pid:[1]', pid: 42, started: '100' };
const NOW = Date.parse('2026-11-28T12:00:00Z');

suite('the owner of a scratch cluster', () => {
  const cases: readonly (readonly [string, Partial<Owner>, string | undefined, ReturnType<typeof judgeOwner>])[] = [
    ['is living while the process of that number and start is there', {}, '100', 'living'],
    ['is gone where there is no such process', {}, undefined, 'gone'],
    ['is gone where another process has the number now', {}, '101', 'gone'],
    ['is gone with the boot of its machine, whoever has the number', { boot: 'b0' }, '100', 'gone'],
    ['is gone with that boot also where it was in a container', { boot: 'b0', namespace: 'pid:[9]' }, '100', 'gone'],
    ['in another container cannot be judged', { namespace: 'pid:[9]' }, undefined, 'elsewhere'],
    ['on another host cannot be judged', { host: 'db2', boot: 'b0' }, undefined, 'elsewhere'],
  ];
  for (const [title, other, started, expected] of cases) {
    test(title, () => assert.equal(judgeOwner({ ...OWNER, ...other }, OWNER, started), expected));
  }
});

suite('a scratch cluster', () => {
  const cases: readonly (readonly [string | null, ReturnType<typeof judgeOwner>, ReturnType<typeof stateOf>])[] = [
    [null, 'living', 'in use'],
    [null, 'gone', 'abandoned'],
    [null, 'elsewhere', 'elsewhere'],
    ['2026-11-28T12:00:01Z', 'living', 'kept'],
    ['2026-11-28T12:00:01Z', 'gone', 'kept'],
    ['2026-11-28T12:00:00Z', 'gone', 'expired'],
    ['2026-11-28T12:00:00Z', 'living', 'expired'],
    ['2026-11-28T11:00:00Z', 'elsewhere', 'elsewhere'],
  ];
  for (const [until, owner, expected] of cases) {
    test(`kept until ${until ?? 'nothing'}, its owner ${owner}, is ${expected}`, () =>
      assert.equal(stateOf({ expires_at: until }, owner, NOW), expected));
  }
});

suite('a marker', () => {
  const marker: ScratchMarker = {
    format: 1,
    purpose: 'drill',
    cluster: 'main',
    backup: '20261128T120000Z-00000000',
    target: 'the end of WAL',
    created_at: '2026-11-28T12:00:00.000Z',
    expires_at: null,
    owner: OWNER,
    server: null,
  };
  const text = JSON.stringify(marker);

  test('is read as it was written', () => assert.deepEqual(parseScratchMarker(text), marker));

  test('that was cut short, or is anything else, is none', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), (length) => parseScratchMarker(text.slice(0, length)) === undefined),
    );
    fc.assert(fc.property(fc.json(), (other) => parseScratchMarker(other) === undefined));
  });

  for (const key of ['purpose', 'cluster', 'backup', 'target', 'created_at', 'owner', 'server', 'format'] as const) {
    test(`without ${key} is none`, () => {
      const { [key]: _, ...rest } = marker;
      assert.equal(parseScratchMarker(JSON.stringify(rest)), undefined);
    });
  }
});
