import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SlotState, slotNotice } from './slot-watch.ts';

const MEBIBYTE = 1024 ** 2;
const well: SlotState = {
  walStatus: 'reserved',
  safeBytes: 900 * MEBIBYTE,
  limitBytes: 1000 * MEBIBYTE,
  heldBytes: 100 * MEBIBYTE,
};

for (const [what, state, said] of [
  ['plenty of room', well, undefined],
  [
    'less than half of it left',
    { ...well, walStatus: 'extended', safeBytes: 499 * MEBIBYTE },
    /499 MiB more, and it is/,
  ],
  ['nothing left', { ...well, walStatus: 'unreserved', safeBytes: -5 * MEBIBYTE }, /more than max_slot_wal_keep_size/],
  ['the slot lost', { ...well, walStatus: 'lost', safeBytes: undefined }, /is lost/],
  ['no limit, little held', { ...well, safeBytes: undefined, limitBytes: undefined }, undefined],
  [
    'no limit, much held',
    { ...well, safeBytes: undefined, limitBytes: undefined, heldBytes: 9000 * MEBIBYTE },
    /9000 MiB of WAL, and nothing limits it/,
  ],
  ['a slot that holds nothing yet', { ...well, walStatus: null, safeBytes: undefined }, undefined],
] as const) {
  test(`${what}: ${said === undefined ? 'nothing is said' : 'it is told'}`, () => {
    const notice = slotNotice('spillway_main', state);
    if (said === undefined) assert.equal(notice, undefined);
    else assert.match(notice ?? '', said);
  });
}
