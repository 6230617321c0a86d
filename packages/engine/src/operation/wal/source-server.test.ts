import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseSource } from './source-server.ts';

const primary = (timeline: number, name: string) => ({ primary: true, timeline, name });
const standby = (timeline: number, name: string) => ({ primary: false, timeline, name });

for (const [what, answers, chosen] of [
  ['nobody answers', [], undefined],
  ['a standby alone', [standby(1, 'b')], 'b'],
  ['a primary before a standby, wherever it stands', [standby(1, 'b'), primary(1, 'a')], 'a'],
  ['an old primary that came back is passed over', [primary(1, 'old'), primary(2, 'new')], 'new'],
  ['a primary even where a standby follows a later timeline', [standby(3, 'b'), primary(2, 'a')], 'a'],
  ['of equals the first', [primary(2, 'a'), primary(2, 'b'), standby(2, 'c')], 'a'],
  ['of standbys the one that is further', [standby(1, 'a'), standby(2, 'b')], 'b'],
] as const) {
  test(`${what}: ${chosen ?? 'none'}`, () => {
    assert.equal(chooseSource<{ primary: boolean; timeline: number; name: string }>(answers)?.name, chosen);
  });
}
