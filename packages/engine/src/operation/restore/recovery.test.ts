import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRecovery, type RecoveryWish } from './recovery.ts';

const WISH: RecoveryWish = {
  target: { kind: 'xid', xid: '744' },
  told: { kind: 'xid', xid: '744' },
  timeline: 2,
  exclusive: false,
  action: 'promote',
  standby: undefined,
  standbyParameters: { max_connections: 200, max_wal_senders: 10, max_prepared_transactions: 0 },
  postgresqlConf: 'max_connections = 300\t# (change requires restart)\n#max_wal_senders = 4\n',
  autoConf: '',
};
const STANDBY: RecoveryWish = {
  ...WISH,
  target: { kind: 'latest' },
  told: { kind: 'latest' },
  standby: { primary: 'host=db user=replicator', slot: 'follower' },
};

test('a recovery has its target, archives nothing, and lets no subscription work', () => {
  const { signalFile, settings, lasting } = planRecovery({ ...WISH, action: 'pause' });
  assert.equal(signalFile, 'recovery.signal');
  assert.equal(settings['recovery_target_action'], 'pause');
  assert.equal(settings['recovery_target_xid'], '744');
  assert.deepEqual(lasting, { archive_mode: 'off', max_logical_replication_workers: '0' });
});

test('a standby has its primary, the newest timeline and its restore_command for good, and keeps archive_mode', () => {
  const { signalFile, settings, lasting, dropped } = planRecovery({
    ...STANDBY,
    autoConf: "archive_mode = 'on'\nprimary_conninfo = 'host=old'\nwork_mem = '8MB'\n",
  });
  assert.equal(signalFile, 'standby.signal');
  assert.deepEqual(settings, {});
  assert.deepEqual(lasting, {
    restore_command: 'sh spillway_recovery/fetch "%f" "%p"',
    recovery_target_timeline: 'latest',
    primary_conninfo: 'host=db user=replicator',
    primary_slot_name: 'follower',
  });
  assert.deepEqual(dropped, ['primary_conninfo']);
});

const parameters: readonly (readonly [name: string, wish: Partial<RecoveryWish>, raised: string | undefined])[] = [
  ['larger in postgresql.conf', {}, undefined],
  ['smaller in postgresql.conf', { postgresqlConf: "max_connections = '100'\n" }, '200'],
  ['smaller by ALTER SYSTEM', { autoConf: "max_connections = '20'\n" }, '200'],
  [
    'large enough by ALTER SYSTEM alone',
    { postgresqlConf: 'max_connections 5\n', autoConf: "max_connections = '200'" },
    undefined,
  ],
  ['said nowhere, as with settings on the command line', { postgresqlConf: 'port = 1\n' }, '200'],
  ['said last and large enough', { postgresqlConf: 'max_connections=1\nMax_Connections = 200\n' }, undefined],
  ['without any configuration, which is made up then', { postgresqlConf: '' }, undefined],
];
for (const [name, more, raised] of parameters) {
  test(`what replay demands is there: ${name}`, () => {
    for (const wish of [WISH, STANDBY]) {
      assert.equal(planRecovery({ ...wish, ...more }).lasting['max_connections'], raised);
    }
  });
}

const refused: readonly (readonly [name: string, wish: RecoveryWish])[] = [
  ['pause at the end of WAL', { ...WISH, action: 'pause', target: { kind: 'latest' }, told: { kind: 'latest' } }],
  ['shut down where nothing lies behind the target', { ...WISH, action: 'shutdown', told: { kind: 'latest' } }],
  ['a target of a standby', { ...STANDBY, target: WISH.target }],
  ['an action of a standby', { ...STANDBY, action: 'shutdown' }],
  ['a password', { ...STANDBY, standby: { primary: 'host=a password=b', slot: undefined } }],
  ['a password in a URI', { ...STANDBY, standby: { primary: 'postgresql://a:b@c/d', slot: undefined } }],
  [
    'a password as a parameter of a URI',
    { ...STANDBY, standby: { primary: 'postgresql://c/d?password=b', slot: undefined } },
  ],
  ['a slot that is no name', { ...STANDBY, standby: { primary: 'host=a', slot: 'Follower' } }],
];
for (const [name, wish] of refused) {
  test(`is refused: ${name}`, () => assert.throws(() => planRecovery(wish), { code: 'SPW_USAGE' }));
}

test('a passfile is no password', () => {
  const standby = { primary: "host=a passfile='/etc/passwords'", slot: undefined };
  assert.equal(planRecovery({ ...STANDBY, standby }).lasting['primary_conninfo'], standby.primary);
});
