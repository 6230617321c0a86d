// What makes a stopped server come back as a standby: standby.signal, and the settings with which it follows.
//
// Without them it would come up as a primary of its own. They are those of `restore --standby`: WAL that the source lacks is
// fetched from the repository. `latest` would follow any newer timeline that the repository knows; where one is there that
// is not the source's, which was left behind, the source's own is named.

import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import type { SystemWal } from '../backups.ts';
import { FETCH_SCRIPT, fetchScript, RECOVERY_FOLDER, TAKEN_FOLDER } from '../restore/fetch-script.ts';
import { planRecovery, type Recovery, type StandbyWish } from '../restore/recovery.ts';
import { withRecoverySettings } from '../restore/settings.ts';
import { syncFolder } from '../restore/sync.ts';
import type { SourceFacts } from './facts.ts';
import type { Owner } from './target.ts';

const AUTO_CONF = 'postgresql.auto.conf';

export async function planStandby(
  directory: string,
  source: SourceFacts,
  standby: StandbyWish,
  stored: SystemWal | undefined,
): Promise<Recovery> {
  const planned = planRecovery({
    target: { kind: 'latest' },
    told: { kind: 'latest' },
    timeline: source.timeline,
    exclusive: false,
    action: 'promote',
    standby,
    standbyParameters: source.standbyParameters,
    postgresqlConf: await textOf(join(directory, 'postgresql.conf')),
    autoConf: await textOf(join(directory, AUTO_CONF)),
  });
  // What it archives its own configuration says, which stays.
  const recovery = { ...planned, notes: planned.notes.filter((note) => !note.startsWith('archive_mode')) };
  const newer = [...(stored?.catalog.histories ?? [])].filter((timeline) => timeline > source.timeline);
  if (newer.length === 0) return recovery;
  return {
    ...recovery,
    lasting: { ...recovery.lasting, recovery_target_timeline: String(source.timeline) },
    notes: [
      ...recovery.notes,
      `recovery_target_timeline is ${source.timeline}, as the repository knows a newer one that the source is not on: after the next promotion set it to 'latest'.`,
    ],
  };
}

/** The last that is done before the folder may be started. Durable when it returns. */
export async function layStandby(
  directory: string,
  recovery: Recovery,
  restoreCommand: string,
  { uid, gid }: Owner,
): Promise<void> {
  const give = async (path: string): Promise<void> => {
    if (process.getuid?.() === 0) await chown(path, uid, gid);
  };
  const put = async (name: string, content: string): Promise<void> => {
    await writeFile(join(directory, name), content, { mode: 0o600, flush: true });
    await give(join(directory, name));
  };
  for (const folder of [RECOVERY_FOLDER, TAKEN_FOLDER]) {
    await mkdir(join(directory, folder), { recursive: true, mode: 0o700 });
    await give(join(directory, folder));
  }
  await put(FETCH_SCRIPT, fetchScript(restoreCommand));
  await put(AUTO_CONF, withRecoverySettings(await textOf(join(directory, AUTO_CONF)), {}, recovery.lasting));
  await rm(join(directory, 'recovery.signal'), { force: true });
  await put(recovery.signalFile, '');
  for (const folder of [RECOVERY_FOLDER, '.']) await syncFolder(join(directory, folder));
}

/** How a standby reaches the source as we do, but for the password. */
export function conninfoOf({ host, port, user, ssl }: ConnectionSettings): string {
  const words: readonly (readonly [string, string])[] = [
    ['host', host],
    ['port', String(port)],
    ['user', user],
    ...(ssl === undefined || ssl === 'disable' ? [] : [['sslmode', ssl] as const]),
  ];
  return words.map(([key, value]) => `${key}=${quoted(value)}`).join(' ');
}

const quoted = (value: string): string =>
  /^[^\s'\\]+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, (sign) => `\\${sign}`)}'`;

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}
