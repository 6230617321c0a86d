// The end of laying a backup down: what PostgreSQL needs to recover from it, and pg_control, with which the folder becomes
// a cluster.
//
// backup_label is written as pg_backup_stop gave it; tablespace_map with the places of this restore. The history files of
// the way are put into pg_wal, so that PostgreSQL needs nothing from outside to know its timelines.

import { closeSync, fchmodSync, fchownSync, openSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpillwayError } from '@spillway/contract';
import { CHUNK_ID_BYTES, chunkCount } from '../../format/chunk.ts';
import { historyName, timelineId } from '../../postgres/lsn.ts';
import { readChunk } from '../../repository/index-store.ts';
import type { Repository } from '../../repository/repository.ts';
import { CONTROL_FILE } from './chunks.ts';
import { FETCH_SCRIPT, fetchScript, RECOVERY_FOLDER, TAKEN_FOLDER } from './fetch-script.ts';
import { rewriteTablespaceMap } from './layout.ts';
import type { PlannedRestore } from './planned.ts';
import { withRecoverySettings } from './settings.ts';
import { syncAll } from './sync.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Laying {
  readonly repository: Repository;
  readonly planned: PlannedRestore;
  readonly restoreCommand: string;
  readonly signal: AbortSignal;
}

export async function writeRecoveryFiles(options: Laying, owner: Owner | undefined): Promise<void> {
  const { planned, restoreCommand } = options;
  const { layout, recovery } = planned;
  const { head } = planned.manifest;
  const { directory } = layout;
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await writeFile(join(directory, path), content, { mode: 0o600, flush: true });
    if (owner !== undefined) await chown(join(directory, path), owner.uid, owner.gid);
  };
  await put('backup_label', head.backup_label);
  if (head.tablespace_map !== '') await put('tablespace_map', rewriteTablespaceMap(head.tablespace_map, layout));
  await put(recovery.signalFile, '');
  for (const folder of [RECOVERY_FOLDER, TAKEN_FOLDER]) {
    await mkdir(join(directory, folder), { mode: 0o700 });
    if (owner !== undefined) await chown(join(directory, folder), owner.uid, owner.gid);
  }
  await put(FETCH_SCRIPT, fetchScript(restoreCommand));
  const before = await readFile(join(directory, 'postgresql.auto.conf'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    },
  );
  await put('postgresql.auto.conf', withRecoverySettings(before, recovery.settings, recovery.lasting));
  for (const { timeline: each } of planned.wal.ways.get(timelineId(planned.plan.timeline)) ?? []) {
    const content = await planned.wal.archive.readHistory(each, options.signal);
    if (content !== undefined) await put(join('pg_wal', historyName(each)), content);
  }
  await syncAll([], [join(directory, RECOVERY_FOLDER), join(directory, 'pg_wal'), directory], options.signal);
}

/** The last file. It is written whole under another name; `beforeNaming` runs when only the name is missing. */
export async function layControl(
  { repository, planned, signal }: Laying,
  beforeNaming: () => Promise<void>,
  step: (phase: string) => void,
): Promise<void> {
  const { manifest, index, layout } = planned;
  let chunk = 0;
  for (const entry of manifest.entries) {
    if (entry.kind !== 'file') continue;
    if (entry.path === CONTROL_FILE) {
      const path = join(layout.directory, CONTROL_FILE);
      const fresh = `${path}.spillway`;
      const content = await readChunk(repository, index, manifest.chunkIds, chunk * CHUNK_ID_BYTES, signal);
      await rm(fresh, { force: true });
      const file = openSync(fresh, 'wx', entry.mode);
      try {
        fchmodSync(file, entry.mode);
        if (process.getuid?.() === 0) fchownSync(file, entry.uid, entry.gid);
      } finally {
        closeSync(file);
      }
      await writeFile(fresh, content, { flag: 'r+', flush: true });
      step('finishing');
      await beforeNaming();
      step('finishing');
      await rename(fresh, path);
      await syncAll([path], [dirname(path)], signal);
      return;
    }
    chunk += chunkCount(entry.bytes);
  }
  throw new SpillwayError('SPW_OBJECT_DAMAGED', `backup ${planned.plan.backup.id} has no ${CONTROL_FILE}`);
}
