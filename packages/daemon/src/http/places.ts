// Which files a request may name: what lies below one of the configured folders, wherever its links lead.
//
// The path is taken apart before the disk is asked, so `..` leads nowhere. Of what exists of it the true path counts: a
// link that leads out is outside. What does not exist yet cannot be a link.

import { realpath } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { Problem } from './problem.ts';

/** Throws a problem that names the setting where `path` is outside. */
export async function refuseOutside(path: string, folders: readonly string[]): Promise<void> {
  const wanted = resolve(path);
  const lies = await truePath(wanted);
  for (const folder of folders) {
    if (isBelow(wanted, resolve(folder)) && isBelow(lies, await truePath(resolve(folder)))) return;
  }
  throw new Problem(
    'forbidden',
    folders.length === 0
      ? `the service may use no folder; name those that it may in service.file_directories, or run the command on its machine`
      : `${path} does not lie in a folder of service.file_directories`,
  );
}

const isBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** The true path of what exists of it, and behind that what does not. */
async function truePath(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return (await realpath(at)) + path.slice(at === sep ? 0 : at.length);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || at === dirname(at)) throw error;
    }
  }
}
