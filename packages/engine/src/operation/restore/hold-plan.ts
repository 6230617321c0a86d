// A plan is made before its backup is known, so before it can be held; and a person may read it for days.
//
//   1  hold the backup the plan chose; where it was expired by now, that is an error
//   2  look whether an expiry came in between: packs the plan reads from that are gone or condemned since, or WAL that was
//      let go since. Then plan again, the same backup to the same target, which now stay
// Invariant: what the plan reads was there at a moment when it was held, and so stays until the hold is let go.

import { type Report, SpillwayError } from '@spillway/contract';
import { packName } from '../../format/names.ts';
import { listCondemned } from '../../repository/condemned.ts';
import { type Hold, holdBackup } from '../../repository/hold.ts';
import { readExpired } from '../expire/record.ts';
import { planRestore } from './plan.ts';
import type { PlannedRestore, PlanOptions } from './planned.ts';

export interface HeldPlan extends Hold {
  /** The one given, or where that is out of date the one to go by. */
  readonly planned: PlannedRestore;
}

/** Throws SPW_BACKUP_UNKNOWN, or what `planRestore` throws where the target cannot be reached any more. */
export async function holdPlan(
  planned: PlannedRestore,
  options: PlanOptions & { readonly signal: AbortSignal; readonly report: Report },
): Promise<HeldPlan> {
  await using stack = new AsyncDisposableStack();
  const backupId = planned.plan.backup.id;
  const hold = stack.use(await holdBackup({ ...options, backupId }));
  const current = (await isCurrent(planned, options)) ? planned : await planRestore({ ...options, backupId });
  if (current.plan.mode !== planned.plan.mode) {
    // To what was shown and agreed to, files may have come that would now be overwritten.
    throw new SpillwayError('SPW_RESTORE_FAILED', `nothing was restored into ${planned.plan.directory}`, {
      why: 'the folder has changed since the restore was planned',
      hint: 'run the command again to see the new plan',
    });
  }
  if (current !== planned) {
    const message = 'Something was expired since the restore was planned: it was planned again, from the same backup.';
    options.report({ type: 'notice', level: 'info', message });
  }
  const held = stack.move();
  return { planned: current, lost: hold.lost, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Whether nothing that the plan may read went, or was condemned, since it was made. */
async function isCurrent(
  { index, wal }: PlannedRestore,
  { repository, cluster, signal }: PlanOptions,
): Promise<boolean> {
  const expired = await readExpired(repository, cluster, wal.archive.systemIdentifier, signal);
  for (const [timeline, position] of expired) if (wal.expired.get(timeline) !== position) return false;
  const { condemned } = await listCondemned(repository, signal);
  const going = new Set(condemned.flatMap(({ packIds }) => packIds));
  const there = new Set<string>();
  for await (const { name } of repository.storage.list('packs/', signal && { signal })) there.add(name);
  return index.packs.every(
    ({ packId }) => there.has(packName(packId)) && (!going.has(packId) || index.condemnedPacks.has(packId)),
  );
}
