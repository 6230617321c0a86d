// A cluster's backups with all that is known of them: whether their WAL is complete, what was proven, what holds them; and
// the window of moments that they reach.

import type { BackupsDocument, ShownBackup } from '@spillway/contract';
import * as engine from '@spillway/engine';

export async function describeBackups(asked: engine.ClusterInRepository): Promise<BackupsDocument> {
  const { repository, cluster, signal } = asked;
  const list = await engine.listBackups(asked);
  const read = { backups: list, readWal: engine.walReader(asked) };
  const [window, wal, evidence, holds] = await Promise.all([
    engine.recoveryWindow({ ...asked, ...read }),
    engine.checkWal({ ...asked, ...read }),
    engine.listEvidence(repository, cluster, signal),
    engine.listLegalHolds(repository, cluster, signal),
  ]);
  const verdicts = engine.verdicts(evidence.records);
  const without = new Set(wal.backups_without_wal);
  return {
    cluster,
    recovery_window: window,
    backups: list.map((summary) => ({
      ...summary,
      wal_complete: !without.has(summary.id),
      ...provenance(verdicts.get(summary.id), holds.active.get(summary.id)),
    })),
  };
}

/** As fields of documents. */
export const provenance = (
  verdict: engine.Verdict | undefined,
  holds: readonly engine.LegalHold[] | undefined,
): Pick<ShownBackup, 'proven_at' | 'verification' | 'legal_hold'> => ({
  legal_hold: holds?.map(({ reason }) => reason).join('; ') ?? null,
  proven_at: verdict?.provenAt ?? null,
  verification: verdict?.result ?? null,
});
