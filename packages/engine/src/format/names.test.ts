import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chainedEvidenceName,
  condemnedHoldersName,
  condemnedName,
  expiredWalName,
  HEAD_NAME,
  indexName,
  evidenceName,
  isClusterName,
  isLasting,
  isOfOnePlace,
  keySlotName,
  lockPrefix,
  manifestName,
  packName,
  sequenceOfEvidence,
  systemName,
  walPrefix,
} from './names.ts';

test('what lasts is known by its name: parts of large segments too, pieces on their way not', () => {
  const wal = 'clusters/main/wal/73/00000001/000000010000000000000001';
  const lasting = [
    HEAD_NAME,
    keySlotName('3f0e'),
    'ring/00002',
    packName('00112233445566778899aabbccddeeff'),
    manifestName('main', '20261123T181500Z-1a2b3c4d'),
    'clusters/main/holds/x',
    chainedEvidenceName('main', 7),
    wal,
    `${wal}.00000000-00800000`,
    `${wal}.3F800000-40000000`,
  ];
  const passing = [
    lockPrefix('wal-main'),
    indexName('aa'),
    condemnedName(7),
    expiredWalName('main', '73', 2),
    'retained/000000000001',
    `${wal}.00000000-00100000`,
    `${wal}.00100000-00900000`,
    `${wal}.00000000-01000000`,
  ];
  for (const name of lasting) assert.ok(isLasting(name), name);
  for (const name of passing) assert.ok(!isLasting(name), name);
});

test('each place numbers evidence by itself, and records of before the chain are the same everywhere', () => {
  const old = evidenceName('main', '20261123T181500123Z-1a2b3c4d');
  assert.equal(chainedEvidenceName('main', 42), 'clusters/main/evidence/000000000042');
  assert.deepEqual([chainedEvidenceName('main', 42), old].map(sequenceOfEvidence), [42, undefined]);
  assert.deepEqual([chainedEvidenceName('main', 42), old].map(isOfOnePlace), [true, false]);
});

test('every object stands where the format says', () => {
  assert.equal(HEAD_NAME, 'spillway.json');
  assert.equal(keySlotName('3f0e'), 'keys/3f0e');
  assert.equal(packName('00112233445566778899aabbccddeeff'), 'packs/00/00112233445566778899aabbccddeeff');
  assert.equal(indexName('aa'), 'index/aa');
  assert.equal(manifestName('main', '20261123T181500Z-1a2b3c4d'), 'clusters/main/backups/20261123T181500Z-1a2b3c4d');
  assert.equal(systemName('main', '7300000000000000001'), 'clusters/main/systems/7300000000000000001');
  assert.equal(walPrefix('main', '7300000000000000001'), 'clusters/main/wal/7300000000000000001/');
  assert.equal(lockPrefix('wal-main'), 'locks/wal-main/');
  assert.equal(condemnedName(7), 'condemned/000000000007');
  assert.equal(condemnedHoldersName(7), 'condemned/000000000007.holders');
  assert.equal(expiredWalName('main', '73', 2), 'clusters/main/expired/73/000000000002');
});

test('a cluster is named so that every store can hold the name', () => {
  for (const name of ['main', 'a', '0', 'eu-west.prod_2', 'x'.repeat(63)])
    assert.equal(isClusterName(name), true, name);
  const refused = ['', '.', '..', '.hidden', '-a', '_a', 'Main', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(64)];
  for (const name of refused) assert.equal(isClusterName(name), false, JSON.stringify(name));
});
