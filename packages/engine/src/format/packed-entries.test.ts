import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from './entry.ts';
import { ENTRIES_PER_FRAME, EntryPacker, parseEntries } from './packed-entries.ts';

const linkOf = (n: number): Entry => ({ kind: 'link', path: `pg_tblspc/größe${n}`, target: '/elsewhere' });

for (const count of [0, 1, ENTRIES_PER_FRAME, ENTRIES_PER_FRAME + 1, 3 * ENTRIES_PER_FRAME]) {
  test(`${count} entries are walked as they were added, more than once, and go into full frames`, () => {
    const all = Array.from({ length: count }, (_, n) => linkOf(n));
    const packer = new EntryPacker();
    for (const entry of all) packer.add(entry);
    const packed = packer.finish();
    assert.equal(packed.length, count);
    assert.deepEqual([...packed], all);
    assert.deepEqual([...packed], all);
    const frames = [...packed.frames()].map((frame) => parseEntries(frame).length);
    assert.deepEqual(
      frames,
      Array.from({ length: Math.ceil(count / ENTRIES_PER_FRAME) }, (_, n) =>
        Math.min(ENTRIES_PER_FRAME, count - n * ENTRIES_PER_FRAME),
      ),
    );
  });
}
