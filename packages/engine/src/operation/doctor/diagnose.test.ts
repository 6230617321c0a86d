import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SpillwayError } from '@spillway/contract';
import type { CanaryFacts } from '../canary/standing.ts';
import { diagnose } from './diagnose.ts';
import type { BackupFacts, DoctorFacts, RepositoryFacts, ServerState, SlotFacts } from './facts.ts';

const now = new Date('2026-11-23T12:00:00Z');
const GIB = 1_073_741_824;
const space = { path: '/srv', freeBytes: 50 * GIB, totalBytes: 100 * GIB };

const goodBackup: BackupFacts = {
  id: '20261123T101500Z-1a2b3c4d',
  finishedAt: new Date('2026-11-23T10:15:00Z'),
  storedBytes: GIB,
  damagedPages: 0,
  walComplete: true,
  proven: true,
};
const goodRepository: RepositoryFacts = {
  path: '/srv/repository',
  writable: true,
  space,
  damagedIndexes: [],
  damagedPacks: [],
  unreadableBackups: [],
  backups: [goodBackup],
  walGaps: 0,
  walSentAt: new Date('2026-11-23T11:59:55Z'),
};
const goodSlot: SlotFacts = { name: 'ours', active: true, walStatus: 'reserved', heldBytes: 0, safeBytes: 10 * GIB };
const goodSettings = {
  wal_level: 'replica',
  max_wal_senders: '10',
  max_replication_slots: '10',
  max_slot_wal_keep_size: '10240',
  fsync: 'on',
  full_page_writes: 'on',
  wal_log_hints: 'off',
  archive_mode: 'off',
  archive_command: '(disabled)',
  archive_timeout: '0',
  summarize_wal: 'on',
};
const goodServer: ServerState = {
  versionNumber: 180_004,
  inRecovery: false,
  clock: now,
  checksums: true,
  settings: new Map(Object.entries(goodSettings)),
  archiver: { lastFailedWal: undefined, lastFailedAt: undefined, lastArchivedAt: undefined },
  slots: [goodSlot],
};
const goodCanary: CanaryFacts = {
  table: {
    inRecovery: false,
    there: true,
    mayUse: true,
    schemaThere: true,
    mayMakeSchema: false,
    mayMakeTable: false,
    published: false,
    database: 'water',
    user: 'spillway',
  },
  row: { sequence: 7, written_at: '2026-11-23T11:59:57Z' },
  clock: now,
};
const good: DoctorFacts = {
  now,
  slot: 'ours',
  user: 'spillway',
  files: [{ path: '/etc/passphrase', what: 'passphrase', mode: 0o640 }],
  repository: goodRepository,
  server: goodServer,
  canary: goodCanary,
  canaryIntervalMs: 5000,
  mayReplicate: true,
  dataDirectory: { path: '/srv/data', readable: true, walSpace: space },
  places: [],
  failures: [],
};

const repository = (change: Partial<RepositoryFacts>): DoctorFacts => ({
  ...good,
  repository: { ...goodRepository, ...change },
});
const backups = (...changes: Partial<BackupFacts>[]): DoctorFacts =>
  repository({ backups: changes.map((change) => ({ ...goodBackup, ...change })) });
const server = (change: Partial<ServerState>): DoctorFacts => ({ ...good, server: { ...goodServer, ...change } });
const setting = (change: Readonly<Record<string, string>>, more: Partial<ServerState> = {}): DoctorFacts =>
  server({ settings: new Map(Object.entries({ ...goodSettings, ...change })), ...more });
/** Without a row. */
const canary = (change: Partial<CanaryFacts>): CanaryFacts => ({ ...goodCanary, row: undefined, ...change });
const slot = (change: Partial<SlotFacts>): DoctorFacts => server({ slots: [{ ...goodSlot, ...change }] });
const at = (text: string): Date => new Date(`2026-11-23T${text}Z`);

test('of a system in order there is nothing to say', () => {
  assert.deepEqual(diagnose(good), []);
});

describe('each fault alone is one finding, with its severity, its area, what was seen and what mends it', () => {
  const table: readonly (readonly [DoctorFacts, 'failed' | 'warning', string, RegExp, RegExp])[] = [
    [
      { ...good, files: [{ path: '/p', what: 'passphrase', mode: 0o644 }] },
      'failed',
      'permissions',
      /0644/,
      /^chmod o-rwx \/p$/,
    ],
    [
      { ...good, mayReplicate: false },
      'failed',
      'permissions',
      /may not replicate/,
      /ALTER ROLE "spillway" REPLICATION/,
    ],
    [
      { ...good, dataDirectory: { path: '/srv/data', readable: false, walSpace: undefined } },
      'failed',
      'permissions',
      /cannot be read/,
      /data_directory/,
    ],
    [{ ...good, canaryIntervalMs: null, canary: canary({}) }, 'warning', 'canary', /is off/, /^canary: \{\} under/],
    [{ ...good, canary: canary({}) }, 'warning', 'canary', /never written/, /spillway canary/],
    [
      { ...good, canary: canary({ row: { sequence: 7, written_at: '2026-11-23T09:00:00Z' } }) },
      'warning',
      'canary',
      /silent: the last, number 7, was 3 h ago/,
      /spillway wal receive/,
    ],
    [
      { ...good, canary: canary({ table: { ...goodCanary.table, mayUse: false } }) },
      'warning',
      'canary',
      /may not use/,
      /^GRANT USAGE/,
    ],
    [repository({ writable: false }), 'failed', 'permissions', /cannot be written/, /owner/],
    [repository({ damagedPacks: ['aa'] }), 'failed', 'repository', /pack aa is missing/, /--type full/],
    [
      repository({ unreadableBackups: ['a', 'b', 'c', 'd'] }),
      'failed',
      'repository',
      /a, b, c and 1 more/,
      /--type full/,
    ],
    [repository({ damagedIndexes: ['x'] }), 'warning', 'repository', /index x is damaged/, /spillway check/],
    [repository({ space: { ...space, freeBytes: 4 * GIB } }), 'failed', 'space', /4\.0 %/, /df -h \/srv/],
    [repository({ space: { ...space, freeBytes: 9 * GIB } }), 'warning', 'space', /9\.0 %/, /df -h/],
    [repository({ space: { ...space, freeBytes: GIB / 2, totalBytes: GIB } }), 'failed', 'space', /50\.0 %/, /df -h/],
    [repository({ backups: [] }), 'failed', 'backups', /no backup/, /^spillway backup$/],
    [backups({ walComplete: false }), 'failed', 'backups', /without the WAL/, /spillway backup/],
    [backups({ id: 'old', walComplete: false }, {}), 'warning', 'backups', /backup old is without/, /spillway backup/],
    [backups({ finishedAt: new Date('2026-11-10T00:00:00Z') }), 'warning', 'backups', /13 days old/, /spillway backup/],
    [backups({ proven: false }), 'warning', 'backups', /proven/, /spillway verify/],
    [backups({ damagedPages: 2 }), 'failed', 'backups', /2 damaged pages/, /spillway show/],
    [backups({ finishedAt: at('12:05:00') }), 'failed', 'clock', /future/, /timedatectl/],
    [repository({ walGaps: 1 }), 'warning', 'WAL', /1 gap$/, /wal check/],
    [setting({ wal_level: 'minimal' }), 'failed', 'server', /minimal/, /SET wal_level = 'replica'/],
    [setting({ max_wal_senders: '1' }), 'failed', 'server', /max_wal_senders is 1/, /SET max_wal_senders/],
    [setting({ max_replication_slots: '0' }), 'failed', 'server', /slots is 0/, /SET max_replication_slots/],
    [setting({ fsync: 'off' }), 'warning', 'server', /fsync is off/, /SET fsync = on/],
    [setting({ full_page_writes: 'off' }), 'warning', 'server', /full_page_writes is off/, /SET full_page_writes = on/],
    [setting({ max_slot_wal_keep_size: '-1' }), 'warning', 'server', /unlimited/, /SET max_slot_wal_keep_size/],
    [setting({ summarize_wal: 'off' }), 'warning', 'server', /summarize_wal is off/, /SET summarize_wal = on/],
    [
      server({ checksums: false }),
      'warning',
      'server',
      /no checksums, and wal_log_hints is off/,
      /pg_checksums --enable/,
    ],
    [server({ slots: [] }), 'failed', 'WAL', /nobody takes WAL/, /spillway wal receive/],
    [
      setting(
        { archive_mode: 'on', archive_command: 'false' },
        { archiver: { lastFailedWal: 'F', lastFailedAt: at('11:00:00'), lastArchivedAt: at('10:00:00') } },
      ),
      'failed',
      'WAL',
      /archive_command fails: last with F at 2026-11-23T11/,
      /archive_command = 'false'/,
    ],
    [setting({ archive_mode: 'on' }, { slots: [] }), 'warning', 'WAL', /archive_timeout is 0/, /SET archive_timeout/],
    [slot({ active: false, heldBytes: GIB }), 'failed', 'slots', /holds back 1024 MiB/, /spillway wal receive/],
    [slot({ active: false, walStatus: 'lost' }), 'failed', 'slots', /is lost/, /pg_drop_replication_slot\('ours'\)/],
    [
      slot({ walStatus: 'unreserved', safeBytes: -1 }),
      'failed',
      'slots',
      /unreserved, 0 MiB left/,
      /max_slot_wal_keep_size/,
    ],
    [slot({ safeBytes: GIB / 8 }), 'warning', 'slots', /128 MiB left/, /catch up/],
    [
      server({ slots: [goodSlot, { ...goodSlot, name: 'theirs', active: false, heldBytes: 2 * GIB }] }),
      'warning',
      'slots',
      /slot theirs is not in use and holds back 2048 MiB/,
      /pg_drop_replication_slot\('theirs'\)/,
    ],
    [server({ clock: at('12:00:10') }), 'warning', 'clock', /10 s apart/, /timedatectl/],
    [server({ clock: at('11:58:00') }), 'failed', 'clock', /120 s apart/, /timedatectl/],
  ];
  for (const [facts, severity, area, message, mend] of table) {
    test(message.source, () => {
      const [only, ...others] = diagnose(facts);
      assert.deepEqual(others, []);
      assert.deepEqual([only?.severity, only?.area], [severity, area]);
      assert.match(only?.message ?? '', message);
      assert.match(only?.mend ?? '', mend);
    });
  }
});

test('what is a matter of course is no finding', () => {
  const fine: readonly DoctorFacts[] = [
    setting({ summarize_wal: 'off' }, { versionNumber: 160_014 }),
    setting({ archive_mode: 'on', archive_timeout: '60' }, { slots: [] }),
    // Failed once, and went on since.
    setting(
      { archive_mode: 'on' },
      { archiver: { lastFailedWal: 'F', lastFailedAt: at('10:00:00'), lastArchivedAt: at('11:00:00') } },
    ),
    server({ slots: [goodSlot, { ...goodSlot, name: 'theirs', active: false, heldBytes: 1000 }] }),
    slot({ safeBytes: undefined }),
    server({ clock: at('12:00:04') }),
  ];
  for (const facts of fine) assert.deepEqual(diagnose(facts), []);
});

test('failures come before warnings, what others hang on first, and what is down hides nothing', () => {
  const facts: DoctorFacts = {
    ...backups({ proven: false }),
    files: [{ path: '/p', what: 'passphrase', mode: 0o644 }],
    server: undefined,
    mayReplicate: undefined,
    failures: [
      {
        area: 'server',
        what: 'server',
        error: new SpillwayError('SPW_POSTGRES_UNREACHABLE', 'cannot reach it', { why: 'refused', hint: 'start it' }),
      },
    ],
  };
  assert.deepEqual(
    diagnose(facts).map(({ severity, area, mend }) => [severity, area, mend]),
    [
      ['failed', 'permissions', 'chmod o-rwx /p'],
      ['failed', 'server', 'start it'],
      ['warning', 'backups', 'spillway verify --level data'],
    ],
  );
});
