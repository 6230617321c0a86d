import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FoundTransaction, InvestigationDocument } from '@spillway/contract';
import { coloursFor } from '../ui/colour.ts';
import { renderInvestigation } from './investigate.ts';

const label = (name: string, database = 'water', oid = 5) =>
  ({ database, database_oid: oid, schema: 'public', name, kind: 'table', oid: 16_400, file: null }) as const;

const transaction = (what: Partial<FoundTransaction>): FoundTransaction => ({
  xid: '742',
  committed_at: '2026-11-23T14:03:12.123456Z',
  commit_lsn: '0/3000028',
  end_lsn: '0/3000100',
  whole: true,
  prepared: false,
  inserts: 0,
  updates: 0,
  deletes: 0,
  tables: [],
  dropped: [],
  truncated: [],
  rewritten: [],
  removed_files: [],
  created: [],
  altered: [],
  databases_dropped: [],
  databases_created: [],
  other_definitions: false,
  ...what,
});

const investigation = (found: readonly FoundTransaction[], more: Partial<InvestigationDocument> = {}): string =>
  renderInvestigation(
    {
      cluster: 'water',
      system_identifier: '1',
      timeline: 1,
      from: '2026-11-23T14:00:00.000Z',
      to: null,
      read: { from_lsn: '0/1', to_lsn: '0/2', bytes: 1024, records: 7, seconds: 1, undecoded: 0 },
      covers_from: true,
      wal_until: null,
      first_commit_at: null,
      last_commit_at: null,
      breaks: [],
      names: { backup: '20261123T130000Z-1a2b3c4d', searched_bytes: 0, unknown: 0 },
      transactions: { committed: 3, rolled_back: 0, unfinished: 0, told: found.length, left_out: 0 },
      tables: [],
      found,
      ...more,
    },
    '',
    coloursFor(false),
  );

test('the way back names what was taken away, quoted for SQL and for the shell', () => {
  const text = investigation([
    transaction({
      deletes: 5,
      tables: [{ ...label('Old Reading'), inserts: 0, updates: 0, deletes: 5 }],
      dropped: [{ ...label('pump'), rows_before: null }],
    }),
  ]);
  assert.match(text, /dropped public\.pump \(nobody had counted its rows\); deleted 5 from public\.Old Reading/);
  assert.ok(
    text.includes(
      `  spillway restore --table public.pump --table 'public."Old Reading"' --database water --xid 742 --exclusive`,
    ),
    text,
  );
  assert.ok(text.includes('  spillway timetravel --xid 742 --exclusive'), text);
  assert.ok(text.includes('  spillway restore --into before-742 --xid 742 --exclusive --start'), text);
});

test('tables of several databases are told with theirs, and brought back from one', () => {
  const text = investigation([
    transaction({ truncated: [{ ...label('bill', 'billing', 6), rows_before: 70 }], altered: [label('pump')] }),
  ]);
  assert.match(text, /truncated billing:public\.bill \(about 70 rows\); altered water:public\.pump/);
  assert.ok(text.includes('--table public.bill --database billing '), text);
});

test('where nothing of a table is lost, no table is brought back', () => {
  assert.doesNotMatch(investigation([transaction({ created: [label('pump')] })]), /--table/);
});

test('what makes the list less than the whole truth is said', () => {
  const doubts = investigation([transaction({ deletes: 1, whole: false })], {
    covers_from: false,
    first_commit_at: '2026-11-23T14:02:00.000000Z',
    to: '2026-11-23T15:00:00.000Z',
    wal_until: '2026-11-23T14:30:00.000Z',
    breaks: [{ from_lsn: '0/2000000', to_lsn: '0/3000000', why: 'it is not in the repository' }],
    read: { from_lsn: '0/1', to_lsn: '0/2', bytes: 1024, records: 7, seconds: 1, undecoded: 2 },
    names: { backup: '20261123T130000Z-1a2b3c4d', searched_bytes: 5, unknown: 1 },
    transactions: { committed: 3, rolled_back: 0, unfinished: 1, told: 1, left_out: 4 },
  });
  for (const doubt of [
    'MISSING WAL from 0/2000000 to 0/3000000: it is not in the repository',
    'What is stored begins later',
    'What is stored ends earlier',
    'Transactions with + began before what was read',
    '2 records of an unknown kind',
    '1 transaction wrote and had not ended',
    'neither backup 1a2b3c4d nor the WAL names them',
    '4 less destructive ones left out',
  ]) {
    assert.ok(doubts.includes(doubt), `${doubt}\n\n${doubts}`);
  }
});
