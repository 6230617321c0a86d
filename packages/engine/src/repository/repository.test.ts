import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ErrorCode, isSpillwayError } from '@spillway/contract';
import { evidencePublicKey, newKeyRing, type Secret } from '../codec/keys.ts';
import type { StorageLocation } from '../storage/port.ts';
import { initRepository, openRepository, Repository } from './repository.ts';

const PASSPHRASE = 'the passphrase of a repository for tests';
const root = await mkdtemp(join(tmpdir(), 'spillway-repository-'));
after(() => rm(root, { recursive: true, force: true }));

let folders = 0;
async function newFolder(): Promise<string> {
  const path = join(root, String(folders++));
  await mkdir(path);
  return path;
}
const at = (path: string): StorageLocation => ({ kind: 'filesystem', path });
const passphrase: Secret = { kind: 'passphrase', passphrase: PASSPHRASE };

/** A copy of the repository made below, which the test may harm. */
async function copy(): Promise<string> {
  const path = await newFolder();
  await mkdir(join(path, 'keys'));
  for (const name of ['spillway.json', ...(await readdir(join(made.path, 'keys'))).map((slot) => `keys/${slot}`)]) {
    await writeFile(join(path, name), await readFile(join(made.path, name)));
  }
  return path;
}
async function changeJson(path: string, change: Readonly<Record<string, unknown>>): Promise<void> {
  const value = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...value, ...change }));
}
async function slotPath(path: string, kind: Secret['kind']): Promise<string> {
  for (const name of await readdir(join(path, 'keys'))) {
    const file = join(path, 'keys', name);
    if ((JSON.parse(await readFile(file, 'utf8')) as { kind: string }).kind === kind) return file;
  }
  throw new Error(`no ${kind} slot`);
}
const making = (path: string) => initRepository({ location: at(path), passphrase: PASSPHRASE });
const full = (error: unknown): boolean => isSpillwayError(error, 'SPW_STORAGE_FULL');
const opening = (path: string, secret: Secret = passphrase): Promise<Repository> =>
  openRepository({ location: at(path), secret });
const refuses = async (path: string, code: ErrorCode, why: RegExp, secret: Secret = passphrase): Promise<void> => {
  await assert.rejects(opening(path, secret), (error) => {
    assert.ok(isSpillwayError(error, code), String(error));
    assert.match(error.why ?? '', why);
    return true;
  });
};

let made: { readonly path: string; readonly repositoryId: string; readonly recoveryKey: string };
before(async () => {
  const path = await newFolder();
  made = { path, ...(await initRepository({ location: at(path), passphrase: PASSPHRASE })) };
});

test('a new repository opens with its passphrase and with its recovery key, and both find the same keys', async () => {
  const byPassphrase = await opening(made.path);
  const byRecoveryKey = await opening(made.path, { kind: 'recovery-key', recoveryKey: made.recoveryKey });
  assert.equal(byPassphrase.id, made.repositoryId);
  assert.deepEqual(byRecoveryKey.handle, byPassphrase.handle);
  const head = JSON.parse(await readFile(join(made.path, 'spillway.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(Object.keys(head), ['format', 'repository', 'created_at', 'evidence_public_key']);
  assert.equal(head['evidence_public_key'], evidencePublicKey(byPassphrase.keys));
});

test('an object is read back through a handle in another place', async () => {
  const path = await copy();
  const repository = await opening(path);
  const { outcome, storedBytes } = await repository.write('system', 'clusters/a/systems/1', [Buffer.from('words')]);
  assert.equal(outcome, 'created');
  assert.equal((await stat(join(path, 'clusters/a/systems/1'))).size, storedBytes);
  const other = new Repository(structuredClone(repository.handle));
  const [frame] = await other.read('system', 'clusters/a/systems/1');
  assert.equal(Buffer.from(frame ?? []).toString(), 'words');
  assert.equal((await other.write('system', 'clusters/a/systems/1', [Buffer.from('others')])).outcome, 'exists');
  const [still] = await repository.read('system', 'clusters/a/systems/1');
  assert.equal(Buffer.from(still ?? []).toString(), 'words');
});

test('init refuses a place with anything in it, and leaves it as it is', async () => {
  const path = await newFolder();
  await writeFile(join(path, 'holiday.jpg'), '');
  await assert.rejects(
    making(path),
    (error) => isSpillwayError(error, 'SPW_REPOSITORY_EXISTS') && /holiday/.test(error.why ?? ''),
  );
  assert.deepEqual(await readdir(path), ['holiday.jpg']);
  await assert.rejects(making(made.path), (error) => isSpillwayError(error, 'SPW_REPOSITORY_EXISTS'));
  await opening(made.path);
});

test('init refuses a short passphrase before it writes anything', async () => {
  const path = await newFolder();
  const started = initRepository({ location: at(path), passphrase: 'too short' });
  await assert.rejects(started, (error) => isSpillwayError(error, 'SPW_PASSPHRASE_SHORT'));
  assert.deepEqual(await readdir(path), []);
});

test('an init that was interrupted at any of its puts leaves no repository, and says so', async () => {
  const slots = await Promise.all(
    (['passphrase', 'recovery-key'] as const).map(async (kind) => (await stat(await slotPath(made.path, kind))).size),
  );
  const [first = 0, second = 0] = slots;
  for (const [puts, capacityBytes] of [0, first, first + second].entries()) {
    const path = await newFolder();
    const location = { ...at(path), fault: { seed: 1, capacityBytes } };
    await assert.rejects(initRepository({ location, passphrase: PASSPHRASE }), full);
    const left = await readdir(join(path, 'keys')).catch(() => []);
    assert.equal(left.length, puts, 'the fault struck another put than was meant');
    await refuses(path, 'SPW_REPOSITORY_MISSING', /no spillway\.json/);
    if (puts === 0) continue;
    await assert.rejects(
      initRepository({ location: at(path), passphrase: PASSPHRASE }),
      (error) => isSpillwayError(error, 'SPW_REPOSITORY_EXISTS') && /interrupted init/.test(error.hint),
    );
  }
});

test('an empty folder and a missing one are told apart', async () => {
  await refuses(await newFolder(), 'SPW_REPOSITORY_MISSING', /no spillway\.json/);
  await refuses(join(root, 'not mounted'), 'SPW_STORAGE_UNREACHABLE', /ENOENT/);
});

test('a wrong secret opens nothing', async () => {
  await refuses(made.path, 'SPW_KEY_WRONG', /none of its 2 key slots$/, {
    kind: 'passphrase',
    passphrase: `${PASSPHRASE}x`,
  });
  const foreign = (await initRepository({ location: at(await newFolder()), passphrase: PASSPHRASE })).recoveryKey;
  await refuses(made.path, 'SPW_KEY_WRONG', /none of its 2 key slots$/, { kind: 'recovery-key', recoveryKey: foreign });
  await refuses(made.path, 'SPW_KEY_WRONG', /mistyped/, { kind: 'recovery-key', recoveryKey: 'ABC' });
});

test('a head of a newer format is not read further', async () => {
  const path = await copy();
  await writeFile(join(path, 'spillway.json'), JSON.stringify({ format: 2, all: 'else is unknown' }));
  await refuses(path, 'SPW_REPOSITORY_NEWER', /format 2/);
});

test('a damaged head is told as damage', async () => {
  const cases: readonly (readonly [text: string, why: RegExp])[] = [
    ['', /not JSON/],
    ['{"format":1', /not JSON/],
    ['7', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{}', /member/],
    [JSON.stringify({ format: 0, repository: 'r', created_at: '', evidence_public_key: '' }), /member/],
  ];
  for (const [text, why] of cases) {
    const path = await copy();
    await writeFile(join(path, 'spillway.json'), text);
    await refuses(path, 'SPW_OBJECT_DAMAGED', why);
  }
});

test('an evidence key that was swapped in the head is noticed', async () => {
  const path = await copy();
  await changeJson(join(path, 'spillway.json'), { evidence_public_key: evidencePublicKey(newKeyRing()) });
  await refuses(path, 'SPW_OBJECT_DAMAGED', /evidence key/);
});

test('a head with the id of another repository opens with no secret', async () => {
  const path = await copy();
  await changeJson(join(path, 'spillway.json'), { repository: '00000000-0000-4000-8000-000000000000' });
  await refuses(path, 'SPW_KEY_WRONG', /another repository/);
});

test('a damaged slot does not keep the other from opening the repository', async () => {
  const damage: readonly ((path: string) => Promise<void>)[] = [
    (path) => writeFile(path, 'no JSON'),
    (path) => writeFile(path, '{}'),
    (path) => changeJson(path, { format: 2 }),
    (path) => changeJson(path, { wrapped: '' }),
    (path) => changeJson(path, { kdf: { name: 'scrypt', n: 2 ** 40, r: 8, p: 1, salt: '' } }),
    (path) => unlink(path),
  ];
  for (const harm of damage) {
    const path = await copy();
    await harm(await slotPath(path, 'passphrase'));
    await opening(path, { kind: 'recovery-key', recoveryKey: made.recoveryKey });
    await refuses(path, 'SPW_KEY_WRONG', /opens none of its [12] key slots/);
  }
});

test('the message tells which slots were unusable and why', async () => {
  const path = await copy();
  await writeFile(await slotPath(path, 'passphrase'), 'no JSON');
  await refuses(path, 'SPW_KEY_WRONG', /unusable: keys\/[0-9a-f-]+: it is not JSON$/);
});
