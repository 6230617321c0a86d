// Which evidence a copy takes along. Pure.
//
// A verification tells of the objects at one place. What failed there says nothing of a copy, whose every frame was
// authenticated on the way; taken along, it would call a good copy bad, and retention there could let it go. What passed
// is true of the same bytes elsewhere, but must not clear a failure that was found at the place itself.
// So: what passed goes along, unless the place knows a failure of that backup that is older and would be cleared by it.
// What is about no backup goes along always.

import type { EvidenceRecord } from '../../repository/evidence.ts';

type Told = Pick<EvidenceRecord, 'id' | 'backup' | 'result'>;

export function evidenceToCopy<Record extends Told>(
  source: readonly Record[],
  target: readonly Told[],
): readonly Record[] {
  const there = new Set(target.map(({ id }) => id));
  const failedAt = new Map<string | null, string>();
  for (const { id, backup, result } of target) {
    const earliest = failedAt.get(backup);
    if (result === 'failed' && (earliest === undefined || id < earliest)) failedAt.set(backup, id);
  }
  return source.filter(({ id, backup, result }) => {
    if (there.has(id)) return false;
    if (backup === null) return true;
    const failure = failedAt.get(backup);
    return result === 'passed' && (failure === undefined || id < failure);
  });
}
