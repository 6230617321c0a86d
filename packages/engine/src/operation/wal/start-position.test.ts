import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lsn, lsn, segmentSize, type TimelineId, timelineId } from '../../postgres/lsn.ts';
import type { Ancestry } from '../../postgres/timeline.ts';
import type { WalCatalog } from './archive.ts';
import { chooseStart } from './start-position.ts';

const SIZE = segmentSize(8);
const at = (value: number): Lsn => lsn(BigInt(value));

function catalogOf(stored: Readonly<Record<number, readonly (readonly [number, number])[]>>): WalCatalog {
  const objects = Object.entries(stored).map(([timeline, intervals]) => {
    const id: TimelineId = timelineId(Number(timeline));
    return [
      id,
      intervals.map(([start, end]) => ({
        name: `${start}-${end}`,
        kind: 'piece' as const,
        timeline: id,
        start: at(start),
        end: at(end),
        storedBytes: 1,
      })),
    ] as const;
  });
  return { objects: new Map(objects), histories: new Set() };
}

const one: Ancestry = [{ timeline: timelineId(1), begin: at(0), end: undefined }];
const three: Ancestry = [
  { timeline: timelineId(1), begin: at(0), end: at(20) },
  { timeline: timelineId(2), begin: at(20), end: at(37) },
  { timeline: timelineId(3), begin: at(37), end: undefined },
];

const cases: readonly {
  readonly name: string;
  readonly stored: Parameters<typeof catalogOf>[0];
  readonly ancestry?: Ancestry;
  readonly slot?: number;
  readonly server: number;
  readonly start: readonly [timeline: number, position: number];
}[] = [
  { name: 'nothing stored, no slot position: where the server is', stored: {}, server: 45, start: [1, 40] },
  { name: 'nothing stored: where the slot holds WAL back from', stored: {}, slot: 19, server: 45, start: [1, 16] },
  {
    name: 'nothing stored, the slot on an old timeline',
    stored: {},
    ancestry: three,
    slot: 19,
    server: 45,
    start: [1, 16],
  },
  { name: 'nothing stored, the slot at a switch', stored: {}, ancestry: three, slot: 20, server: 45, start: [2, 16] },
  {
    name: 'WAL ends within a segment',
    stored: {
      1: [
        [8, 16],
        [16, 19],
      ],
    },
    slot: 40,
    server: 45,
    start: [1, 16],
  },
  {
    name: 'a hole that archive_command left, whose WAL the slot holds back',
    stored: {
      1: [
        [8, 24],
        [32, 48],
      ],
    },
    slot: 18,
    server: 50,
    start: [1, 24],
  },
  {
    name: 'the first of two such holes',
    stored: {
      1: [
        [0, 8],
        [16, 19],
        [24, 32],
        [40, 48],
      ],
    },
    slot: 17,
    server: 50,
    start: [1, 16],
  },
  {
    name: 'a hole that the slot does not reach back to',
    stored: {
      1: [
        [8, 24],
        [32, 43],
      ],
    },
    slot: 34,
    server: 50,
    start: [1, 40],
  },
  {
    name: 'WAL ends with a segment',
    stored: {
      1: [
        [8, 16],
        [16, 24],
      ],
    },
    server: 45,
    start: [1, 24],
  },
  {
    name: 'the object that ends last begins before another',
    stored: {
      1: [
        [8, 16],
        [9, 12],
      ],
    },
    server: 45,
    start: [1, 16],
  },
  {
    name: 'WAL of an old timeline that ends before its switch',
    stored: { 1: [[8, 13]] },
    ancestry: three,
    server: 45,
    start: [1, 8],
  },
  {
    name: 'WAL of an old timeline up to its switch',
    stored: { 1: [[16, 20]] },
    ancestry: three,
    server: 45,
    start: [2, 16],
  },
  {
    name: 'WAL of an old timeline past its switch',
    stored: { 1: [[16, 32]] },
    ancestry: three,
    server: 45,
    start: [2, 16],
  },
  {
    name: 'WAL of the newest of several timelines',
    stored: { 1: [[16, 48]], 2: [[16, 30]] },
    ancestry: three,
    server: 45,
    start: [2, 24],
  },
  {
    name: 'WAL of the server’s own timeline',
    stored: { 1: [[16, 48]], 3: [[32, 39]] },
    ancestry: three,
    server: 45,
    start: [3, 32],
  },
  {
    name: 'WAL of a timeline that the server does not come from',
    stored: { 2: [[16, 44]] },
    slot: 12,
    server: 45,
    start: [1, 8],
  },
];

for (const { name, stored, ancestry = one, slot, server, start } of cases) {
  test(`a receiver begins right with ${name}`, () => {
    const position = { ancestry, position: at(server), restartLsn: slot === undefined ? undefined : at(slot) };
    const chosen = chooseStart(catalogOf(stored), position, SIZE);
    assert.deepEqual([chosen.timeline, Number(chosen.position), chosen.afterGap], [...start, false]);
    assert.equal(chosen.begin, ancestry.find(({ timeline }) => timeline === chosen.timeline)?.begin);
  });
}
