import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { refuseOutside } from './places.ts';

const folder = await mkdtemp(join(tmpdir(), 'spillway-places-'));
after(() => rm(folder, { recursive: true }));

test('what lies below a folder may be named, and nothing that leads out of it', async () => {
  const allowed = join(folder, 'allowed');
  await mkdir(join(allowed, 'inside'), { recursive: true });
  await mkdir(join(folder, 'allowed-not'));
  await mkdir(join(folder, 'outside'));
  await symlink(join(folder, 'outside'), join(allowed, 'link'));
  await symlink(join(folder, 'gone'), join(allowed, 'dangling'));
  await symlink(allowed, join(folder, 'door'));
  await writeFile(join(allowed, 'file'), '');
  const refused = async (path: string, folders: readonly string[] = [allowed]): Promise<boolean> =>
    refuseOutside(path, folders).then(
      () => false,
      (error: unknown) => {
        assert.match(String(error), /file_directories/);
        return true;
      },
    );
  for (const [path, isRefused] of [
    [join(allowed, 'new'), false],
    [join(allowed, 'new/deep/er'), false],
    [join(allowed, 'inside'), false],
    [join(allowed, 'link/../inside'), false],
    [allowed, true],
    [join(folder, 'outside'), true],
    [join(folder, 'allowed-not/x'), true],
    [`${allowed}/../outside/x`, true],
    [`${allowed}/inside/../../outside`, true],
    [join(allowed, 'link'), true],
    [join(allowed, 'link/new'), true],
    ['/etc/passwd', true],
    ['/', true],
  ] as const) {
    assert.equal(await refused(path), isRefused, path);
  }
  assert.equal(await refused(join(folder, 'door/new'), [join(folder, 'door')]), false, 'a folder may itself be a link');
  assert.equal(await refused(join(allowed, 'new'), []), true);
});
