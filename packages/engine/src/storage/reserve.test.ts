import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isSpillwayError } from '@spillway/contract';
import { renameUnlessThere } from './reserve.ts';

const folder = await mkdtemp(join(tmpdir(), 'spillway-reserve-'));
after(() => rm(folder, { recursive: true, force: true }));

test('of sixteen racing writers exactly one gives the file its name, and no reservation stays', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 16 }, async (_, i) => {
      const incoming = join(folder, `incoming-${i}`);
      await writeFile(incoming, `writer ${i}`);
      return await renameUnlessThere(incoming, join(folder, 'name'));
    }),
  );
  assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
  assert.equal(await readFile(join(folder, 'name'), 'utf8'), `writer ${outcomes.indexOf('created')}`);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('.')),
    [],
  );
});

test('a reservation that a dead writer left is named, and never taken for the file', async () => {
  await writeFile(join(folder, '.reserved-lost'), '');
  await writeFile(join(folder, 'incoming-lost'), 'x');
  await assert.rejects(
    renameUnlessThere(join(folder, 'incoming-lost'), join(folder, 'lost'), 0),
    (error) => isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') && error.hint.includes('.reserved-lost'),
  );
});
