// `storage recover`: brings back what somebody hid or overwrote in a store that keeps versions.
//
//   1  what opens the repository: its head, key slots and ring, as they were first written. Of slots that are hidden none
//      comes back as long as one can be read: it may have been revoked
//   2  all else: of an object's versions the oldest that authenticates is the good one
//   3  packs that backups need and that no index object names any more are named again (`repository/reindex.ts`)
//   4  what is good is put on top again. Nothing is removed: what was tried stays in the store's history, for whoever looks into it
//
// It needs no right but to read versions and to put. Without the key ring nothing that is sealed can be told good.

import { isSpillwayError, type Report } from '@spillway/contract';
import { HEAD_NAME, RING } from '../../format/names.ts';
import { kindOfObject } from '../../repository/object-kind.ts';
import { proveObject } from '../../repository/prove-object.ts';
import { reindex } from '../../repository/reindex.ts';
import type { Repository } from '../../repository/repository.ts';
import { listTampered, type Tampered } from '../../repository/tampering.ts';
import { openStorage } from '../../storage/open.ts';
import type { ObjectHistory, Storage, StorageLocation } from '../../storage/port.ts';
import { damageIn } from '../damage.ts';

export interface RecoverOptions {
  readonly location: StorageLocation;
  /** Called when what opens it is there again. */
  readonly open: () => Promise<Repository>;
  readonly dryRun?: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface RecoveredObject {
  readonly object: string;
  readonly how: Tampered['how'];
  readonly at: string;
  /** `recovered`: would be, with --dry-run. `lost`: no version is good. `left`: a key slot that may have been revoked. */
  readonly outcome: 'recovered' | 'lost' | 'left';
  /** What is wrong, where it is lost. */
  readonly problem: string | null;
}

export interface RecoverSummary {
  readonly place: string;
  readonly dry_run: boolean;
  readonly looked_at: number;
  readonly objects: readonly RecoveredObject[];
  /** That no index object named any more; would be named again, with --dry-run. */
  readonly reindexed_packs: number;
  readonly duration_seconds: number;
}

/** Where the store keeps no versions, the index alone is looked at. */
export async function recover(options: RecoverOptions): Promise<RecoverSummary> {
  const began = performance.now();
  const { location, signal, report, dryRun = false } = options;
  const storage = openStorage(location);
  const { history } = storage;
  const objects: RecoveredObject[] = [];
  const tell = (found: Tampered, outcome: RecoveredObject['outcome'], problem: string | null = null): void => {
    objects.push({ object: found.name, how: found.how, at: found.at.toISOString(), outcome, problem });
  };
  if (history !== undefined) await recoverOpening({ storage, history, dryRun, signal }, tell);
  let repository: Repository | undefined;
  try {
    repository = await options.open();
  } catch (error) {
    // Without writing anything a head or slots that are hidden stay so.
    if (!dryRun || objects.length === 0 || !isSpillwayError(error)) throw error;
    report({ type: 'notice', level: 'warning', message: `The rest was not looked at: ${error.message}.` });
  }
  let looked = 0;
  if (repository !== undefined && history !== undefined) {
    const onObject = (): void => {
      looked += 1;
      report({ type: 'progress', phase: 'looking at versions', done_bytes: 0, detail: `${looked} objects` });
    };
    for await (const found of listTampered(history, { onObject, signal })) {
      if (kindOfObject(found.name) === undefined || found.name.startsWith(RING)) continue;
      const good = await goodVersion(repository, history, found, signal);
      if (typeof good === 'string') tell(found, 'lost', good);
      else {
        if (!dryRun) await putOnTop(storage, found, good, signal);
        tell(found, 'recovered');
      }
    }
  }
  const reindexed = repository === undefined ? [] : await reindex(repository, { dryRun, signal });
  return {
    place: storage.description,
    dry_run: dryRun,
    looked_at: looked,
    objects,
    reindexed_packs: reindexed.length,
    duration_seconds: (performance.now() - began) / 1000,
  };
}

interface Opening {
  readonly storage: Storage;
  readonly history: ObjectHistory;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** None of it can be authenticated before it is open, so the first version counts: that was there before anybody. */
async function recoverOpening(
  { storage, history, dryRun, signal }: Opening,
  tell: (found: Tampered, outcome: RecoveredObject['outcome']) => void,
): Promise<void> {
  const slots: Tampered[] = [];
  for (const prefix of [HEAD_NAME, 'keys/', RING]) {
    for await (const found of listTampered(history, { prefix, signal })) {
      if (prefix === 'keys/' && found.how === 'hidden') {
        slots.push(found);
        continue;
      }
      await takeFirst(found);
    }
  }
  let visible = 0;
  for await (const _ of storage.list('keys/', { signal })) visible += 1;
  for (const found of slots) {
    if (visible > 0) tell(found, 'left');
    else await takeFirst(found);
  }

  async function takeFirst(found: Tampered): Promise<void> {
    const [first] = found.versions;
    if (first === undefined) return;
    if (!dryRun) await putOnTop(storage, found, await history.get(found.name, first.version, { signal }), signal);
    tell(found, 'recovered');
  }
}

/** The bytes of the oldest version that authenticates; a phrase where none does. */
async function goodVersion(
  repository: Repository,
  history: ObjectHistory,
  { name, versions }: Tampered,
  signal: AbortSignal,
): Promise<Uint8Array | string> {
  let problem = 'no version of it is left';
  for (const { version } of versions) {
    try {
      const bytes = await history.get(name, version, { signal });
      await proveObject(repository, name, bytes);
      return bytes;
    } catch (error) {
      // Removed since it was listed.
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) continue;
      problem = damageIn(error);
    }
  }
  return problem;
}

async function putOnTop(
  storage: Storage,
  { name, how }: Tampered,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (how === 'hidden' && (await storage.put(name, [bytes], { signal })) === 'created') return;
  await storage.replace?.(name, [bytes], { signal });
}
