// The way of the server's account to where a restore lays its files, on a real tree of folders with real modes.

import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { findClosed, makePassable, refuseClosedWay } from './passage.ts';

const ACCOUNT = { uid: 65_534, gid: 65_533 };
const skip = process.getuid?.() === 0 ? false : 'only root restores what another account runs';

suite('the way to a restored server', { skip }, () => {
  let folder: string;
  const at = (path: string): string => join(folder, path);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spillway-passage-'));
    await chmod(folder, 0o711);
    for (const path of ['open', 'closed/inner', 'theirs', 'group', 'others', 'links']) {
      await mkdir(at(path), { recursive: true });
    }
    await chmod(at('closed'), 0o700);
    await chmod(at('theirs'), 0o700);
    await chown(at('theirs'), ACCOUNT.uid, 0);
    await chmod(at('group'), 0o710);
    await chown(at('group'), 0, ACCOUNT.gid);
    // A group that may not enter is kept out, also where everybody else may.
    await chmod(at('others'), 0o701);
    await chown(at('others'), 0, ACCOUNT.gid);
    await symlink(at('closed/inner'), at('links/in'));
    await symlink(at('open'), at('closed/out'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const cases: readonly (readonly [root: string, closed: string | undefined])[] = [
    ['open/data', undefined],
    ['open/not/there/yet/data', undefined],
    ['closed/data', 'closed'],
    ['closed/inner/not/there/data', 'closed'],
    ['theirs/data', undefined],
    ['group/data', undefined],
    ['others/data', 'others'],
    ['links/in/data', 'closed'],
    ['closed/out/data', 'closed'],
    // The folder itself is given to the account.
    ['closed', undefined],
  ];
  for (const [root, closed] of cases) {
    test(`to ${root} ${closed === undefined ? 'is open' : `ends at ${closed}`}`, async () => {
      const found = await findClosed([at('open/first'), at(root)], ACCOUNT, undefined);
      assert.equal(found?.folder, closed && at(closed));
      const letter = closed === 'others' ? 'g' : 'o';
      if (found !== undefined) assert.ok(found.hint.endsWith(`: chmod ${letter}+x ${found.folder}`), found.hint);
    });
  }

  test('is refused with the folder, its mode, the account, and what to do', async () => {
    const roots = [at('closed/inner/data')];
    await assert.rejects(refuseClosedWay(roots, { uid: 4_000_123, gid: 1 }, undefined), (error: unknown) => {
      assert.ok(isSpillwayError(error, 'SPW_FOLDER_CLOSED'), String(error));
      const why = `the server would run as account 4000123, which cannot enter ${at('closed')} (mode 0700, of root)`;
      assert.deepEqual([error.why, error.message], [why, `nothing was restored into ${roots[0]}`]);
      assert.match(error.hint, new RegExp(`another folder.*chmod o\\+x ${at('closed')}$`));
      return true;
    });
    await refuseClosedWay(roots, undefined, undefined);
    await refuseClosedWay(roots, { uid: 0, gid: 0 }, undefined);
  });

  test('is made passable where folders are made, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      assert.equal(await makePassable(at('open/made/for/it')), at('open/made'));
      assert.equal(await makePassable(at('open/hidden'), 0o700), at('open/hidden'));
      assert.equal(await makePassable(at('closed/inner')), undefined);
    } finally {
      process.umask(umask);
    }
    const modes = ['open/made', 'open/made/for', 'open/made/for/it', 'open/hidden', 'closed'].map(async (path) =>
      ((await stat(at(path))).mode & 0o777).toString(8),
    );
    assert.deepEqual(await Promise.all(modes), ['711', '711', '711', '711', '700']);
    assert.equal(await findClosed([at('open/made/for/it/data')], ACCOUNT, undefined), undefined);
  });
});
