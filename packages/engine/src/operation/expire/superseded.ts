// What was superseded and stayed, because whoever superseded it may remove nothing: pieces of WAL that a segment took the
// place of, and lower numbers of locks. The role that expires takes it away.

import { removeLockRemains } from '../../repository/lock.ts';
import type { Repository } from '../../repository/repository.ts';
import { segmentStart } from '../../postgres/lsn.ts';
import { readSystemWal } from '../backups.ts';
import { listSystems } from '../system.ts';
import type { WalObject } from '../wal/archive.ts';
import { removeLeftovers } from '../wal/leftover.ts';

export async function removeSuperseded(repository: Repository, cluster: string, signal: AbortSignal): Promise<void> {
  await removeLockRemains(repository, signal);
  for (const system of await listSystems(repository, cluster, signal)) {
    const { archive, catalog } = await readSystemWal({ repository, cluster, signal }, system);
    for (const [timeline, objects] of catalog.objects) {
      const starts = new Set(coveredPieces(objects).map(({ start }) => segmentStart(start, archive.segmentSize)));
      for (const start of starts) await removeLeftovers(archive, timeline, start, signal);
    }
  }
}

/** Pieces of which another object holds every byte. Ordered by start, as given. Pure. */
export function coveredPieces(
  objects: readonly Pick<WalObject, 'kind' | 'start' | 'end'>[],
): readonly Pick<WalObject, 'kind' | 'start' | 'end'>[] {
  const wholes = objects.filter(({ kind }) => kind === 'segment');
  let at = 0;
  return objects.filter((piece) => {
    if (piece.kind === 'segment') return false;
    while (at + 1 < wholes.length && (wholes[at + 1]?.start ?? 0n) <= piece.start) at += 1;
    const holder = wholes[at];
    return holder !== undefined && holder.start <= piece.start && holder.end >= piece.end;
  });
}
