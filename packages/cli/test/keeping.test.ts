// What keeps and proves backups, from the command line: expire, verify, key, and what backups and show tell of it.

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  backupDocument,
  backupsDocument,
  checkDocument,
  copyDocument,
  doctorDocument,
  errorDocument,
  expireDocument,
  expiryPlanDocument,
  keyAddDocument,
  keyListDocument,
  keyRemoveDocument,
  keyRotateDocument,
  legalHoldDocument,
  legalHoldsDocument,
  madeBackupDocument,
  repairDocument,
  shownBackupDocument,
  verifyDocument,
} from '@spillway/contract/schemas';
import { type LabCluster, startCluster } from '@spillway/lab';
import type { z } from 'zod';
import { lightenPassphrase } from '../../engine/test/light-slot.ts';
import { makeWorkplace, type Workplace } from './spawned.ts';

let place: Workplace;
let cluster: LabCluster;
const made: string[] = [];

before(async () => {
  cluster = await startCluster({ walSegmentMegabytes: 1 });
  const { host, port, user } = cluster.connection;
  place = await makeWorkplace({
    'spillway.yaml': `repository:
  path: repository
  passphrase: { file: passphrase }
clusters:
  main:
    connection: { host: ${host}, port: ${port}, user: ${user}, password: { file: password } }
    backup: { workers: 1, compression_level: 1 }
`,
    passphrase: 'the first passphrase of this repository',
    new: 'the second passphrase of this repository',
    wrong: 'a passphrase that opens nothing at all',
    password: cluster.connection.password,
  });
  const init = await place.run(['init']);
  assert.equal(init.code, 0, init.stderr);
  await lightenPassphrase(place.folder);
  for (let n = 0; n < 3; n++) made.push((await json(backupDocument, 'backup')).id);
});
after(async () => {
  await place?.[Symbol.asyncDispose]();
  await cluster?.destroy();
});

const json = async <Schema extends z.ZodType>(
  schema: Schema,
  ...words: readonly string[]
): Promise<z.infer<Schema>> => {
  const { code, stdout, stderr } = await place.run([...words, '--json']);
  assert.equal(code, 0, stderr);
  return schema.parse(JSON.parse(stdout));
};
const failing = async (code: string, ...words: readonly string[]): Promise<z.infer<typeof errorDocument>> => {
  const ended = await place.run([...words, '--json']);
  assert.notEqual(ended.code, 0);
  const said = ended.stdout.trim() === '' ? ended.stderr : ended.stdout;
  assert.match(said, new RegExp(code));
  return errorDocument.parse(JSON.parse(said.trim().split('\n').at(-1) ?? ''));
};
const short = (id: string): string => id.split('-')[1] ?? id;
const ids = async (): Promise<readonly string[]> =>
  (await json(backupsDocument, 'backups')).backups.map(({ id }) => id);

test('expire --dry-run shows what would go and why, and changes nothing', async () => {
  const { code, stdout, stderr } = await place.run(['expire', '--dry-run', '--keep-count', '1']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`${short(made[0] ?? '')}.*EXPIRE.*no rule keeps it`));
  assert.match(stdout, new RegExp(`${short(made[2] ?? '')}.*keep.*newest`));
  assert.match(stdout, /To be freed: [^]*Nothing was done/);
  const plan = await json(expiryPlanDocument, 'expire', '--dry-run', '--keep-count', '2');
  assert.deepEqual(
    plan.backups.map(({ keep }) => keep),
    [false, true, true],
  );
  assert.deepEqual(await ids(), made);
});

test('verify proves a backup, leaves evidence, and backups and show tell of it', async () => {
  assert.equal((await json(backupsDocument, 'backups')).backups[0]?.proven_at, null);
  const told = await json(verifyDocument, 'verify', made[0] ?? '');
  assert.deepEqual([told.result, told.level, told.backups[0]?.id], ['passed', 'data', made[0]]);
  assert.ok(typeof told.backups[0]?.evidence === 'string');
  assert.equal((await readdir(join(place.folder, 'repository/clusters/main/evidence'))).length, 1);
  const [first, second] = (await json(backupsDocument, 'backups')).backups;
  assert.deepEqual([first?.verification, second?.verification, second?.proven_at], ['passed', null, null]);
  assert.ok(typeof first?.proven_at === 'string');
  const shown = await json(shownBackupDocument, 'show', made[0] ?? '');
  assert.deepEqual([shown.verification, shown.proven_at], ['passed', first.proven_at]);
  const locks = await readdir(join(place.folder, 'repository/locks'));
  assert.deepEqual(
    locks.filter((name) => name.startsWith('verify-')).flatMap((name) => name),
    locks.filter((name) => name.startsWith('verify-main-')),
  );
});

test('expire asks before it goes by flags, and takes no answer where there is no terminal', async () => {
  const { hint } = await failing('SPW_CONFIRMATION_NEEDED', 'expire', '--keep-count', '1');
  assert.match(hint ?? '', /--yes --confirm main/);
  await failing('SPW_CONFIRMATION_NEEDED', 'expire', '--keep-count', '1', '--yes', '--confirm', 'other');
  assert.deepEqual(await ids(), made);
});

test('the last proven backup goes only by its own name, and what no rule keeps by that of the cluster', async () => {
  const proven = made[0] ?? '';
  const { hint } = await failing('SPW_CONFIRMATION_NEEDED', 'expire', '--backup', proven, '--yes', '--confirm', 'main');
  assert.match(hint ?? '', new RegExp(`--confirm ${short(proven)}`));
  const words = ['expire', '--keep-count', '1', '--grace', '0s', '--yes', '--confirm', 'main'];
  const { removed_backups: removed, collected, plan } = await json(expireDocument, ...words);
  assert.deepEqual(removed, [made[1]]);
  assert.deepEqual(plan.backups[0]?.reasons, ['last proven']);
  assert.equal(collected?.packs_waiting, 0);
  assert.deepEqual(await ids(), [made[0], made[2]]);
});

test('hold keeps a backup that no rule keeps, also when it is named, until it is let go', async () => {
  const [oldest = ''] = await ids();
  await failing('SPW_USAGE', 'hold', 'add', short(oldest));
  await failing('SPW_USAGE', 'hold', 'add', short(oldest), '--reason', ' ');
  await failing('SPW_BACKUP_UNKNOWN', 'hold', 'add', 'ffffffff', '--reason', 'case 4711');
  await failing('SPW_USAGE', 'hold', 'remove', short(oldest), '--reason', 'nothing');
  const hold = await json(legalHoldDocument, 'hold', 'add', short(oldest), '--reason', 'case 4711');
  assert.deepEqual([hold.backup, hold.action, hold.reason], [oldest, 'hold', 'case 4711']);
  const { stdout: listed } = await place.run(['hold', 'list']);
  assert.match(listed, new RegExp(`${short(oldest)} +ON HOLD .*@.*case 4711`));
  assert.match((await place.run(['backups'])).stdout, new RegExp(`${short(oldest)} .*ON HOLD`));
  assert.match((await place.run(['show', oldest])).stdout, /LEGAL HOLD +case 4711/);
  const { hint } = await failing(
    'SPW_BACKUP_NEEDED',
    'expire',
    '--backup',
    oldest,
    '--yes',
    '--confirm',
    short(oldest),
  );
  assert.match(hint ?? '', /hold remove/);
  await json(legalHoldDocument, 'hold', 'remove', short(oldest), '--reason', 'closed');
  const all = await json(legalHoldsDocument, 'hold', 'list', '--all');
  assert.deepEqual(
    [all.active, all.records.map(({ action, reason }) => [action, reason])],
    [
      [],
      [
        ['hold', 'case 4711'],
        ['release', 'closed'],
      ],
    ],
  );
  assert.match((await place.run(['hold', 'list'])).stdout, /Nothing of main is on hold/);
});

test('copy brings the places up to date that are mounted, others by name, and every command works on either', async () => {
  await failing('SPW_PLACE_UNKNOWN', 'copy');
  const file = join(place.folder, 'spillway.yaml');
  const copies = `copies:
  nas: { path: nas, mounted: for-copy, retention: { keep_count: 1 } }
  far: { path: far }
`;
  await writeFile(file, `${copies}${await readFile(file, 'utf8')}`);
  await failing('SPW_PLACE_UNKNOWN', 'copy', 'nos');
  await failing('SPW_USAGE', 'copy', 'nas', '--from', 'nas');
  await failing('SPW_USAGE', '--repository', 'nas', 'init');
  // A folder that is not there may be a disk that is not mounted.
  const { hint } = await failing('SPW_STORAGE_UNREACHABLE', 'copy', 'nas');
  assert.match(hint ?? '', /see that it is mounted.*copies\.nas\.path/);
  assert.match(
    (await failing('SPW_REPOSITORY_MISSING', '--repository', 'far', 'backups')).hint ?? '',
    /spillway copy far/,
  );
  const probes = async (): Promise<readonly (readonly [string, string])[]> =>
    checkDocument
      .parse(JSON.parse((await place.run(['check', '--json'])).stdout))
      .probes.filter(({ name }) => name === 'copy')
      .map(({ status, message }) => [status, message]);
  assert.deepEqual(
    (await probes()).map(([status]) => status),
    ['ok', 'failed'],
  );
  for (const name of ['nas', 'far']) await mkdir(join(place.folder, name));
  const looked = await place.run(['copy', 'nas', '--dry-run']);
  assert.match(looked.stdout, /MISSING[^]*To be copied: [^]*Nothing was done/);
  const all = await json(copyDocument, 'copy');
  assert.deepEqual(
    all.places.map((each) => [
      each.place,
      each.error,
      each.summary?.clusters[0]?.backups.map(({ outcome }) => outcome),
    ]),
    [['far', null, ['copied', 'copied']]],
  );
  assert.deepEqual(await probes(), [
    ['warning', 'nas is no copy yet'],
    ['ok', 'far has all that it is to keep'],
  ]);
  const { code, stdout } = await place.run(['copy', 'nas']);
  assert.equal(code, 0);
  assert.match(stdout, /nas, at .*, a new copy[^]*main +backups +2 [^]*Copied .* in /);
  assert.deepEqual(
    (await json(backupsDocument, '--repository', 'nas', 'backups')).backups.map(({ id }) => id),
    [made[0], made[2]],
  );
  // By its own retention; the last proven one stays there too.
  const plan = await json(expiryPlanDocument, '--repository', 'nas', 'expire', '--dry-run');
  assert.deepEqual(
    plan.backups.map(({ reasons }) => reasons),
    [['last proven'], ['newest', 'one of the newest 1']],
  );
  const back = await json(copyDocument, 'copy', 'repository', '--from', 'nas');
  assert.deepEqual(back.places[0]?.summary?.clusters[0]?.packs, 0);

  // The first place is gone: the next that opens is read, and the server that is restored is told to read it too.
  await rename(join(place.folder, 'repository'), join(place.folder, 'gone'));
  const restored = await place.run(['restore', '--into', 'restored', '--backup', made[2] ?? '', '--immediate']);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(restored.stderr, /the place repository cannot be read; nas is read instead/);
  assert.match(restored.stdout, /Read from .*nas/);
  const settings = await readFile(join(place.folder, 'restored/spillway_recovery/fetch'), 'utf8');
  assert.match(settings, /--repository nas/);
  const asked = await place.run(['wal', 'fetch', '0000000100000000000000F0', 'fetched']);
  assert.equal(asked.code, 150);
  assert.match(asked.stderr, /nobody knows whether there is a WAL file/);
  assert.equal(
    (await place.run(['--repository', 'nas', 'wal', 'fetch', '0000000100000000000000F0', 'fetched'])).code,
    1,
  );
  await rename(join(place.folder, 'gone'), join(place.folder, 'repository'));

  const manifest = join(place.folder, 'repository/clusters/main/backups', made[2] ?? '');
  await chmod(manifest, 0o600);
  await writeFile(manifest, 'nonsense');
  const { stdout: told } = await place.run(['repair', '--dry-run']);
  assert.match(told, /can be mended +clusters\/main\/backups\/.*whole at nas[^]*1 damaged/);
  const mended = await json(repairDocument, 'repair', '--from', 'far');
  assert.deepEqual(
    mended.objects.map(({ outcome, from }) => [outcome, from]),
    [['mended', 'far']],
  );
  assert.equal((await ids()).length, 2);
  await failing('SPW_USAGE', 'repair', '--from', 'repository');
  await failing('SPW_USAGE', 'repair', 'keys/any');

  // A backup goes to every place that is always mounted, and counts as done by the policy.
  const both = await json(madeBackupDocument, 'backup');
  assert.deepEqual(both.places, [{ place: 'far', required: true, state: 'complete', problem: null }]);
  assert.ok((await json(backupsDocument, '--repository', 'far', 'backups')).backups.some(({ id }) => id === both.id));
  await rename(join(place.folder, 'far'), join(place.folder, 'away'));
  assert.equal((await place.run(['copy'])).code, 21);
  const behind = await place.run(['backup', '--json']);
  assert.equal(behind.code, 21);
  assert.match(
    behind.stderr,
    /far is behind: .*Next: spillway copy far[^]*does not count as done by copy_policy all: far lacks it/,
  );
  const { places } = madeBackupDocument.parse(JSON.parse(behind.stdout));
  assert.deepEqual(
    places.map(({ place: name, state }) => [name, state]),
    [['far', 'behind']],
  );
  await writeFile(file, `copy_policy: best-effort\n${await readFile(file, 'utf8')}`);
  const best = await place.run(['backup']);
  assert.equal(best.code, 3);
  assert.match(best.stdout, /NOT at far/);
  const doctor = doctorDocument.parse(JSON.parse((await place.run(['doctor', '--json'])).stdout));
  assert.deepEqual(
    doctor.findings.filter(({ area }) => area === 'copies').map(({ severity }) => severity),
    ['failed'],
  );
  await rename(join(place.folder, 'away'), join(place.folder, 'far'));
  assert.match(String((await probes()).at(-1)), /warning,far lacks 2 backups/);
  const later = await json(madeBackupDocument, 'backup');
  assert.deepEqual(
    later.places.map(({ state }) => state),
    ['complete'],
  );
  // What it missed was brought along.
  assert.deepEqual(
    (await json(backupsDocument, '--repository', 'far', 'backups')).backups.map(({ id }) => id),
    await ids(),
  );
  await writeFile(file, (await readFile(file, 'utf8')).replace(copies, '').replace('copy_policy: best-effort\n', ''));
  for (const id of (await ids()).slice(2)) {
    await json(expireDocument, 'expire', '--backup', id, '--yes', '--confirm', short(id));
  }
});

test('key adds, lists, removes and rotates, and never takes the last way in', async () => {
  const added = await json(keyAddDocument, 'key', 'add', '--recovery-key', '--label', 'safe');
  assert.ok(added.recovery_key !== null);
  const { slots } = await json(keyListDocument, 'key', 'list');
  assert.equal(slots.length, 3);
  const own = slots.find(({ opened }) => opened)?.id ?? '';
  await failing('SPW_CONFIRMATION_NEEDED', 'key', 'remove', added.slot.id);
  const remove = (id: string, ...more: readonly string[]): readonly string[] => [
    'key',
    'remove',
    id,
    '--yes',
    '--confirm',
    id,
    ...more,
  ];
  await failing('SPW_KEY_SLOT_NEEDED', ...remove(own));
  await failing('SPW_KEY_SLOT_NEEDED', ...remove(own, '--proof-passphrase-file', 'wrong'));
  for (const { id } of slots.filter((slot) => slot.id !== own)) await json(keyRemoveDocument, ...remove(id));
  const { why } = await failing('SPW_KEY_SLOT_NEEDED', ...remove(own));
  assert.match(why ?? '', /the last one/);
  const rotate = ['key', 'rotate', '--passphrase-file', 'new', '--yes', '--confirm', 'rotate'];
  const rotated = await json(keyRotateDocument, ...rotate);
  assert.deepEqual([rotated.removed, rotated.remaining], [[own], 1]);
  await failing('SPW_KEY_WRONG', 'backups');
  await writeFile(join(place.folder, 'passphrase'), await readFile(join(place.folder, 'new')));
  assert.equal((await ids()).length, 2);
});

test('verify ends with exit code 13 where a bit was flipped, and says what it hurts', async () => {
  const packs = join(place.folder, 'repository/packs');
  for (const folder of await readdir(packs)) {
    for (const name of await readdir(join(packs, folder))) {
      const path = join(packs, folder, name);
      const bytes = await readFile(path);
      const at = Math.floor((await stat(path)).size / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await chmod(path, 0o600);
      await writeFile(path, bytes);
    }
  }
  const { code, stdout, stderr } = await place.run(['verify', made[2] ?? '', '--json']);
  assert.equal(code, 13, stderr);
  const told = verifyDocument.parse(JSON.parse(stdout));
  assert.deepEqual([told.result, told.backups[0]?.result], ['failed', 'failed']);
  assert.ok(told.findings.some(({ hurts }) => hurts.some(({ backup }) => backup === made[2])));
  assert.ok(typeof told.backups[0]?.evidence === 'string');
  const shown = await json(shownBackupDocument, 'show', made[2] ?? '');
  assert.deepEqual([shown.verification, shown.proven_at], ['failed', null]);
});
