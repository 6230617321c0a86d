// Backups that were there, and are not, though nothing let them go.
//
// A manifest that was removed leaves no trace in a list of manifests. But verifications before have put on record what they
// looked at, and `expire` what it lets go, before it does. Whoever is in the first and not in the second is lost. It is a
// finding once; after that it is told that it is still gone, for nothing can be done any more.

import { dumpName, manifestName } from '../../format/names.ts';
import { listEvidence } from '../../repository/evidence.ts';
import type { VerifyOptions } from './subjects.ts';

export const LOST = 'it is gone, though a verification has seen it and no spillway expire let it go';

export interface LostBackup {
  readonly id: string;
  readonly object: string;
  /** When that was found first; undefined where it is found now. */
  readonly since: string | undefined;
}

/** `known` was listed before the evidence is: what is let go meanwhile is on record by then. */
export async function findLost(
  { repository, cluster, signal }: VerifyOptions,
  known: ReadonlySet<string>,
): Promise<readonly LostBackup[]> {
  const { records } = await listEvidence(repository, cluster, signal);
  const expired = new Set<unknown>();
  for (const { kind, details } of records) {
    if (kind === 'expiry' && Array.isArray(details['expired'])) for (const id of details['expired']) expired.add(id);
  }
  const lost = new Map<string, LostBackup>();
  for (const { kind, backup, level, details, finished_at: at, ...rest } of records) {
    // Records of before had no findings in them, and expiries of that time left none; those of another place tell of that place.
    if (kind !== 'verification' || backup === null || !Array.isArray(details['findings'])) continue;
    if (Object.hasOwn(rest, 'copied_from') || known.has(backup) || expired.has(backup)) continue;
    const told = details['findings'].some((each: unknown) => Object(each).problem === LOST);
    const before = lost.get(backup);
    const object = level === 'dump' ? dumpName(cluster, backup) : manifestName(cluster, backup);
    lost.set(backup, { id: backup, object, since: before?.since ?? (told ? at : undefined) });
  }
  return [...lost.values()];
}
