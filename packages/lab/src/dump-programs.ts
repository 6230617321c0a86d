// Whether this machine has a pg_dump that can dump a server of some major: one of that major or newer, with pg_dumpall beside
// it. The embedded package has none, so a lab of the newest major often goes without.

import { execFile } from 'node:child_process';
import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { exists } from './cache.ts';

const run = promisify(execFile);

export async function hasDumpPrograms(major: number, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    const [dump, dumpAll] = [join(folder, 'pg_dump'), join(folder, 'pg_dumpall')];
    if (!(await exists(dump)) || !(await exists(dumpAll))) continue;
    // Debian's wrapper stands for programs of its packages, which are looked at themselves.
    if (basename(await realpath(dump)) === 'pg_wrapper') continue;
    const { stdout } = await run(dump, ['--version']);
    if (Number(/\) (\d+)/.exec(stdout)?.[1]) >= major) return true;
  }
  return false;
}

/** The server's own, that of the shell's pg_dump, and those of the machine's packages. */
export async function foldersOfPrograms(binDirectory: string, packages = '/usr/lib/postgresql'): Promise<string[]> {
  const majors = await readdir(packages).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const onPath = await run('/bin/sh', ['-c', 'command -v pg_dump']).then(
    ({ stdout }) => [dirname(stdout.trim())],
    // Not on the PATH: the shell answers with 127.
    () => [],
  );
  return [binDirectory, ...onPath, ...majors.map((each) => join(packages, each, 'bin'))];
}
