// What a `wal push` that goes ahead leaves for the calls that come for the same files: what it was asked, and by which
// configuration. They are answered by `pushed.ts`, which loads nothing else; how it decides is told there.

import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Asked, identityOf, questionOf } from '../pushed.ts';

/** Beside the marks. A hint: where it cannot be written, calls take longer, no more. */
export async function noteAsked(told: {
  readonly words: readonly string[];
  /** The WAL file, absolute. */
  readonly path: string;
  readonly cluster: string;
  /** The configuration's file. */
  readonly file: string;
  /** The folder of the repository. */
  readonly root: string;
}): Promise<void> {
  const { words, path, cluster, file, root } = told;
  const spool = join(dirname(path), '.spillway-pushed');
  const beside = join(spool, `.asked-${randomBytes(6).toString('hex')}`);
  try {
    const asked: Asked = { question: questionOf(words), cluster, file, configuration: identityOf(file), root };
    await writeFile(beside, JSON.stringify(asked), { flag: 'wx', mode: 0o600 });
    await rename(beside, join(spool, 'asked.json'));
  } catch {
    await rm(beside, { force: true });
  }
}
