import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { foldersOfPrograms, hasDumpPrograms } from './dump-programs.ts';
import { labConfiguration } from './registry.ts';

test('a pg_dump of the major or a newer one will do, with pg_dumpall beside it and no wrapper', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-dump-programs-'));
  try {
    const place = async (name: string, version: string, ...programs: readonly string[]): Promise<string> => {
      await mkdir(join(folder, name, 'bin'), { recursive: true });
      for (const program of programs) {
        const path = join(folder, name, 'bin', program);
        await writeFile(path, `#!/bin/sh\necho "${program} (PostgreSQL) ${version}"\n`);
        await chmod(path, 0o755);
      }
      return join(folder, name, 'bin');
    };
    const both = ['pg_dump', 'pg_dumpall'];
    const [older, newer] = [await place('15', '15.18 (Debian 15.18-0)', ...both), await place('18', '18.4', ...both)];
    const [half, none] = [await place('19', '19.1', 'pg_dump'), await place('none', '0')];
    const wrapper = await place('wrapped', '19.1', 'pg_dumpall', 'pg_wrapper');
    await symlink(join(wrapper, 'pg_wrapper'), join(wrapper, 'pg_dump'));
    const cases: readonly (readonly [major: number, folders: readonly string[], expected: boolean])[] = [
      [15, [older], true],
      [16, [older], false],
      [16, [none, older, newer], true],
      [18, [newer], true],
      [19, [half, wrapper, newer], false],
      [15, [], false],
      [15, [join(folder, 'not there')], false],
    ];
    for (const [major, folders, expected] of cases) {
      assert.equal(await hasDumpPrograms(major, folders), expected, `${major} in ${folders.join(', ')}`);
    }
    const found = await foldersOfPrograms(none, folder);
    assert.equal(found[0], none);
    assert.ok([older, newer].every((each) => found.includes(each)));
    assert.deepEqual((await foldersOfPrograms(none, join(folder, 'not there'))).slice(0, 1), [none]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a lab's schema is dumped by schedule where it can be, and else the configuration says why not", () => {
  const state = { directory: '/lab', host: '127.0.0.1', port: 1, user: 'u', password_file: '/p', bin_directory: '/b' };
  assert.doesNotMatch(labConfiguration(state, { major: 18, mayDump: true }), /schedules|pg_dump/);
  assert.match(
    labConfiguration(state, { major: 18, mayDump: false }),
    /\n {4}# No pg_dump of PostgreSQL 18 or newer .*\n.*\n {4}schedules: \{ schema: never \}\nservice:\n/,
  );
});
