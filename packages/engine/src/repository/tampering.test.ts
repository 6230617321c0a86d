import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectVersion } from '../storage/port.ts';
import { judgeVersions, listTampered } from './tampering.ts';

const PACK = 'packs/ab/abcdefabcdefabcdefabcdefabcdefab';
const PIECE = 'clusters/main/wal/1/00000001/000000010000000000000001.00000000-00001000';

/** `good`, `evil` and `gone` (a marker), newest first. */
const group = (name: string, ...contents: readonly string[]): readonly ObjectVersion[] =>
  contents.map((content, at) => ({
    name,
    version: String(at),
    bytes: content.length,
    isLatest: at === 0,
    isMarker: content === 'gone',
    at: new Date(1000 - at),
    content: content === 'gone' ? undefined : content,
  }));

const cases: readonly (readonly [what: string, versions: readonly string[], how: string | undefined])[] = [
  ['one version', ['good'], undefined],
  ['a marker on top', ['gone', 'good'], 'hidden'],
  ['another version on top', ['evil', 'good'], 'overwritten'],
  ['another of the same length', ['bad!', 'good'], 'overwritten'],
  ['several markers and versions', ['gone', 'evil', 'gone', 'good'], 'hidden'],
  ['the first one put on top again', ['good', 'gone', 'good'], undefined],
  ['the first one again after another', ['good', 'evil', 'good'], undefined],
  ['nothing but a marker', ['gone'], undefined],
];
for (const [what, versions, how] of cases) {
  test(`${what}: ${how ?? 'untouched'}`, () => {
    const found = judgeVersions(group(PACK, ...versions));
    assert.equal(found?.how, how);
    if (found !== undefined) assert.equal(found.versions[0]?.content, 'good');
    // What Spillway itself removes by a marker is nobody's attack.
    assert.equal(judgeVersions(group(PIECE, ...versions)), undefined);
  });
}

test('versions that cannot be compared count as different', () => {
  const [newest, first] = group(PACK, 'good', 'good');
  assert.ok(newest !== undefined && first !== undefined);
  assert.equal(judgeVersions([{ ...newest, content: undefined }, first])?.how, 'overwritten');
});

test('a list is taken name by name', async () => {
  const names = ['packs/aa/1', 'packs/bb/2', 'packs/cc/3'];
  const history = {
    async *versions() {
      for (const [at, name] of names.entries()) yield* group(name, ...(at === 1 ? ['good'] : ['gone', 'good']));
    },
    get: async () => Buffer.alloc(0),
  };
  let seen = 0;
  const found = await Array.fromAsync(listTampered(history, { onObject: () => seen++ }));
  assert.deepEqual(
    found.map(({ name }) => name),
    ['packs/aa/1', 'packs/cc/3'],
  );
  assert.equal(seen, 3);
});
