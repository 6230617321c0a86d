// What `check` says of the keys: how many ways in there are, when the recovery key was last shown to be one, and how much
// is still sealed by older data keys.

import { currentKeyNumber, type KeySlot } from '../codec/keys.ts';
import { rotationUnfinished } from '../repository/data-key.ts';
import { type EvidenceRecord, listEvidence } from '../repository/evidence.ts';
import type { RepositoryIndex } from '../repository/index-store.ts';
import { lastKeyCheck } from '../repository/key-check.ts';
import { readKeySlots, type Repository } from '../repository/repository.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
export const RECOVERY_KEY_CHECK_MS = 100 * DAY_MS;
const GIB = 1024 ** 3;

/** As in a probe of `check.ts`. */
interface Seen {
  readonly status: 'ok' | 'warning';
  readonly message: string;
  readonly hint?: string;
}

export interface KeyCheckAge {
  /** A recovery key that was neither made nor checked for so long is told. */
  readonly recoveryKeyCheckMs: number;
  readonly now: Date;
}

export async function probeKeys(
  repository: Repository,
  index: RepositoryIndex,
  cluster: string,
  age: KeyCheckAge,
  signal?: AbortSignal,
): Promise<readonly Seen[]> {
  const slots: KeySlot[] = [];
  for await (const { slot } of readKeySlots(repository.storage, repository.id, signal)) {
    if (typeof slot !== 'string') slots.push(slot);
  }
  const seen: Seen[] = [];
  if (slots.length === 1) {
    seen.push({
      status: 'warning',
      message: 'only one key slot opens it: when its secret is lost, so is everything in it',
      hint: 'add another with: spillway key add --recovery-key',
    });
  }
  const { records } = await listEvidence(repository, cluster, signal);
  seen.push(...recoveryKeyAge(slots, records, age));
  const { stop } = await repository.refreshKeys(signal);
  if (stop !== undefined) {
    seen.push({
      status: 'warning',
      message: `the secret in use does not lead to data key ${stop.number}: ${stop.cause?.message ?? 'it was made without it'}`,
      hint: 'open the repository with another secret, and add a slot with: spillway key add',
    });
  } else if (await rotationUnfinished(repository, signal)) {
    seen.push({
      status: 'warning',
      message: 'a rotation of the data key was broken off: key slots that it replaced are still there',
      hint: 'finish it with: spillway key rotate-data',
    });
  }
  return [...seen, ...olderKeys(index, currentKeyNumber(repository.keys))];
}

/** Pure. A slot that is as young as that needs no check yet: its key was on the screen when it was made. */
export function recoveryKeyAge(
  slots: readonly Pick<KeySlot, 'kind' | 'created_at'>[],
  records: readonly EvidenceRecord[],
  { recoveryKeyCheckMs, now }: KeyCheckAge,
): readonly Seen[] {
  const made = slots.filter(({ kind }) => kind === 'recovery-key').map((slot) => Date.parse(slot.created_at));
  if (made.length === 0) return [];
  const checked = lastKeyCheck(records, 'recovery-key');
  const newest = Math.max(...made, checked?.getTime() ?? 0);
  if (now.getTime() - newest <= recoveryKeyCheckMs) return [];
  const last = checked === undefined ? 'was never checked' : `was last checked ${checked.toISOString().slice(0, 10)}`;
  return [
    {
      status: 'warning',
      message: `the recovery key ${last}: nobody knows whether what lies in the safe still opens the repository`,
      hint: 'take it out and run: spillway key check --recovery-key-file <path>, or with --recovery-share-file for each share',
    },
  ];
}

/** Pure. Packs are what weighs; other objects go with the backups and the WAL that they are of. */
export function olderKeys(index: Pick<RepositoryIndex, 'packs'>, current: number): readonly Seen[] {
  const older = index.packs.filter(({ dataKeyNumber }) => dataKeyNumber < current);
  if (current < 2) return [];
  const bytes = (packs: typeof index.packs): string =>
    (packs.reduce((sum, pack) => sum + pack.packBytes, 0) / GIB).toFixed(1);
  return [
    {
      status: 'ok',
      message: `data key ${current} seals what is written; ${older.length} of ${index.packs.length} packs, ${bytes(older)} of ${bytes(index.packs)} GiB, are still under older ones`,
    },
  ];
}
