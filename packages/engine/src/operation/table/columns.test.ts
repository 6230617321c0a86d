import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapColumns } from './columns.ts';
import type { Column } from './relation.ts';

const column = (number: number, name: string, more: Partial<Column> = {}): Column => ({
  number,
  name,
  type: 'integer',
  type_oid: '23',
  type_modifier: -1,
  collation: null,
  not_null: false,
  identity: '',
  generated: '',
  default: null,
  binary: true,
  may_name_large_object: false,
  ...more,
});
const id = column(1, 'id', { not_null: true });
const state = column(2, 'state');
const big = { type: 'bigint', type_oid: '20' };

interface Case {
  readonly told: string;
  readonly moment: readonly Column[];
  readonly live: readonly Column[];
  readonly isSameTable?: boolean;
  readonly isSameMajor?: boolean;
  readonly pairs: readonly string[];
  readonly added?: readonly string[];
  readonly dropped?: readonly string[];
  readonly format?: 'binary' | 'text';
  readonly notes?: readonly RegExp[];
  readonly refusals?: readonly RegExp[];
}

const cases: readonly Case[] = [
  { told: 'nothing changed', moment: [id, state], live: [id, state], pairs: ['id>id', 'state>state'] },
  {
    told: 'another major: text',
    moment: [id, state],
    live: [id, state],
    isSameMajor: false,
    pairs: ['id>id', 'state>state'],
    format: 'text',
  },
  {
    told: 'renamed since: the same number',
    moment: [id, state],
    live: [id, column(2, 'status')],
    pairs: ['id>id', 'state>status'],
    notes: [/state was renamed to status/],
  },
  {
    told: 'two columns swapped names: each is still itself',
    moment: [id, state, column(3, 'kind')],
    live: [id, column(2, 'kind'), column(3, 'state')],
    pairs: ['id>id', 'state>kind', 'kind>state'],
    notes: [/state was renamed to kind/, /kind was renamed to state/],
  },
  {
    told: 'another table of that name: by name alone',
    moment: [id, state],
    live: [column(1, 'state'), column(2, 'id')],
    isSameTable: false,
    pairs: ['state>state', 'id>id'],
  },
  {
    told: 'dropped and made anew: by name',
    moment: [id, state],
    live: [id, column(5, 'state', big)],
    pairs: ['id>id', 'state>state'],
    format: 'text',
    notes: [/state was integer and is bigint now/],
  },
  {
    told: 'another length is another type',
    moment: [id, column(2, 'code', { type: 'character varying(8)', type_oid: '1043', type_modifier: 12 })],
    live: [id, column(2, 'code', { type: 'character varying(4)', type_oid: '1043', type_modifier: 8 })],
    pairs: ['id>id', 'code>code'],
    format: 'text',
    notes: [/varying\(8\) and is character varying\(4\)/],
  },
  {
    told: 'a type that was dropped and made again has another oid: text',
    moment: [id, column(2, 'kind', { type: 'public.kind', type_oid: '16400' })],
    live: [id, column(2, 'kind', { type: 'public.kind', type_oid: '16900' })],
    pairs: ['id>id', 'kind>kind'],
    format: 'text',
    notes: [/kind was public\.kind/],
  },
  {
    told: 'a type without a binary form: text',
    moment: [id, column(2, 'acl', { binary: false })],
    live: [id, column(2, 'acl', { binary: false })],
    pairs: ['id>id', 'acl>acl'],
    format: 'text',
  },
  {
    told: 'dropped since: its values have no place',
    moment: [id, state],
    live: [id],
    pairs: ['id>id'],
    dropped: ['state'],
    notes: [/state was dropped since/],
  },
  {
    told: 'added since, with a default',
    moment: [id],
    live: [id, column(2, 'n', { not_null: true, default: '0' })],
    pairs: ['id>id'],
    added: ['n'],
    notes: [/n was added since: rows that come back get its default, 0/],
  },
  {
    told: 'added since, may be null',
    moment: [id],
    live: [id, state],
    pairs: ['id>id'],
    added: ['state'],
    notes: [/get null/],
  },
  {
    told: 'added since, an identity',
    moment: [id],
    live: [id, column(2, 'n', { not_null: true, identity: 'a' })],
    pairs: ['id>id'],
    added: ['n'],
    notes: [/next number of its identity/],
  },
  {
    told: 'added since, must not be null, has no default: refused',
    moment: [id],
    live: [id, column(2, 'Odd name', { not_null: true })],
    pairs: ['id>id'],
    added: ['Odd name'],
    refusals: [/"Odd name" was added since, must not be null/],
  },
  {
    told: 'generated columns are not fed',
    moment: [id, column(2, 'double', { generated: 's' })],
    live: [id, column(2, 'double', { generated: 's' })],
    pairs: ['id>id'],
  },
  {
    told: 'generated since: reckoned anew',
    moment: [id, state],
    live: [id, column(2, 'state', { generated: 's' })],
    pairs: ['id>id'],
    notes: [/state is generated now/],
  },
  {
    told: 'no longer generated: its values of then',
    moment: [id, column(2, 'double', { generated: 's' })],
    live: [id, column(2, 'double')],
    pairs: ['id>id', 'double>double'],
  },
  {
    told: 'nothing in common: refused',
    moment: [state],
    live: [column(1, 'other')],
    isSameTable: false,
    pairs: [],
    added: ['other'],
    dropped: ['state'],
    notes: [/other was added/, /state was dropped/],
    refusals: [/no column of that moment/],
  },
];

for (const { told, moment, live, isSameTable = true, isSameMajor = true, ...wanted } of cases) {
  test(`columns: ${told}`, () => {
    const map = mapColumns({ moment: { columns: moment }, target: { columns: live }, isSameTable, isSameMajor });
    assert.deepEqual(
      map.pairs.map(({ from, to }) => `${from.name}>${to.name}`),
      wanted.pairs,
    );
    assert.deepEqual(
      map.added.map(({ name }) => name),
      wanted.added ?? [],
    );
    assert.deepEqual(
      map.dropped.map(({ name }) => name),
      wanted.dropped ?? [],
    );
    assert.equal(map.format, wanted.format ?? 'binary');
    assertAll(map.notes, wanted.notes ?? []);
    assertAll(map.refusals, wanted.refusals ?? []);
  });
}

function assertAll(found: readonly string[], wanted: readonly RegExp[]): void {
  assert.equal(found.length, wanted.length, found.join('\n'));
  for (const [index, pattern] of wanted.entries()) assert.match(found[index] ?? '', pattern);
}
