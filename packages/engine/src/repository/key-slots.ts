// Key slots of a repository that is open: listed, added, removed, and a passphrase replaced by another.
//
// 1. Slots only come and go; data, data keys and other slots are never touched.
// 2. A slot that was added is read back from the store and opened before anything relies on it.
// 3. None is removed unless a secret that is at hand opens one of those that stay. So the last slot never goes, and
//    nobody locks himself out by removing the slot of the only secret he can show. One at a time removes: it holds a lock.
// 4. `rotate` adds first and removes last: broken off in between, both passphrases open the repository, and running it
//    again goes on from there.

import { SpillwayError } from '@spillway/contract';
import { type KeyService, type KeySlot, type Secret, wrapKeyRing } from '../codec/keys.ts';
import { newRecoveryKey } from '../codec/recovery-key.ts';
import { splitRecoveryKey } from '../codec/recovery-shares.ts';
import { keySlotName } from '../format/names.ts';
import { takeKeysLock, takeUpKeys } from './data-key.ts';
import { encodeJson, openSlot, readKeySlots, type Repository } from './repository.ts';
import { isBeginningOf } from './ring.ts';

const LABEL_CHARACTERS_MAX = 100;

export interface KeySlotSummary {
  readonly id: string;
  /** Null where the slot cannot be read. */
  readonly kind: Secret['kind'] | null;
  readonly created_at: string | null;
  readonly label: string | null;
  /** Whether the secret in use opens it. */
  readonly opened: boolean;
  /** Why the slot opens nothing; null where nothing is known to be wrong. */
  readonly problem: string | null;
}

interface OfRepository {
  readonly repository: Repository;
  /** The one that the repository was opened with. */
  readonly secret: Secret;
  readonly signal?: AbortSignal;
}

export async function listKeySlots({ repository, secret, signal }: OfRepository): Promise<readonly KeySlotSummary[]> {
  const summaries: KeySlotSummary[] = [];
  for await (const { name, slot } of readKeySlots(repository.storage, repository.id, signal)) {
    summaries.push(
      typeof slot === 'string'
        ? { id: idIn(name), kind: null, created_at: null, label: null, opened: false, problem: slot }
        : { ...(await describe(slot, repository, secret, signal)), problem: null },
    );
  }
  return summaries;
}

/** Adds a slot for a passphrase, for a key of a key service, or for a new recovery key, which is returned here once and kept nowhere. */
export async function addKeySlot(
  options: Omit<OfRepository, 'secret'> & {
    readonly passphrase?: string;
    readonly kms?: KeyService;
    readonly label?: string;
  },
): Promise<{ readonly slot: KeySlotSummary; readonly recoveryKey: string | undefined }> {
  const { passphrase, kms } = options;
  if (kms !== undefined) {
    return { slot: await addSlotFor({ ...options, secret: { kind: 'aws-kms', kms } }), recoveryKey: undefined };
  }
  const recoveryKey = passphrase === undefined ? newRecoveryKey() : undefined;
  const secret: Secret =
    passphrase === undefined
      ? { kind: 'recovery-key', recoveryKey: recoveryKey ?? '' }
      : { kind: 'passphrase', passphrase };
  return { slot: await addSlotFor({ ...options, secret }), recoveryKey };
}

/** Adds a slot for a new recovery key, of which only the shares are ever shown. */
export async function addSplitKeySlot(
  options: Omit<OfRepository, 'secret'> & {
    readonly shares: number;
    readonly threshold: number;
    readonly label?: string;
  },
): Promise<{ readonly slot: KeySlotSummary; readonly shares: readonly string[] }> {
  const recoveryKey = newRecoveryKey();
  const shares = await splitRecoveryKey(recoveryKey, options.repository.id, options.shares, options.threshold);
  const slot = await addSlotFor({ ...options, secret: { kind: 'recovery-key', recoveryKey } });
  return { slot, shares };
}

async function addSlotFor(options: OfRepository & { readonly label?: string }): Promise<KeySlotSummary> {
  const { repository, secret, label, signal } = options;
  if (label !== undefined && Array.from(label).length > LABEL_CHARACTERS_MAX) {
    throw new SpillwayError('SPW_USAGE', `the label is longer than ${LABEL_CHARACTERS_MAX} characters`);
  }
  // A slot that is made while the data key is rotated would not be among those that get the new one.
  await using lock = await takeKeysLock(repository, 'adding of a key slot', signal);
  await takeUpKeys(repository, undefined, signal);
  const made = await wrapKeyRing(repository.keys, repository.id, secret, new Date().toISOString(), label);
  await lock.assertHeld();
  await repository.storage.put(keySlotName(made.slot), [encodeJson(made)], signal && { signal });
  for await (const { name, slot } of readKeySlots(repository.storage, repository.id, signal)) {
    if (name !== keySlotName(made.slot) || typeof slot === 'string') continue;
    if (await opens(repository, slot, secret, signal)) {
      return { ...(await describe(slot, repository, secret, signal)), opened: false, problem: null };
    }
  }
  throw new SpillwayError('SPW_OBJECT_DAMAGED', `the key slot ${made.slot} was added and does not open`, {
    why: 'what was read back from the repository is not what was written',
    hint: 'the slots from before open the repository as they did',
  });
}

/** The slot whose id begins with `id`. */
export async function findKeySlot(options: OfRepository & { readonly id: string }): Promise<KeySlotSummary> {
  const all = await listKeySlots(options);
  const [match, ...others] = all.filter((slot) => slot.id.startsWith(options.id));
  if (match !== undefined && others.length === 0) return match;
  throw new SpillwayError('SPW_KEY_SLOT_UNKNOWN', `there is no single key slot ${options.id}`, {
    why: match === undefined ? 'no slot has an id like that' : `${others.length + 1} slots have ids like that`,
  });
}

/** Removes one; `proof` is a further secret, for where the one in use opens only the slot that goes. */
export async function removeKeySlot(
  options: OfRepository & { readonly id: string; readonly proof?: Secret },
): Promise<{ readonly removed: string; readonly remaining: number }> {
  const { repository, secret, proof, signal } = options;
  // Two that remove one slot each, relying on the other's, would leave none.
  await using lock = await takeKeysLock(repository, 'removal of a key slot', signal);
  await takeUpKeys(repository, secret, signal);
  const { id } = await findKeySlot(options);
  const staying: KeySlot[] = [];
  for await (const { name, slot } of readKeySlots(repository.storage, repository.id, signal)) {
    if (idIn(name) !== id && typeof slot !== 'string') staying.push(slot);
  }
  const secrets = [secret, ...(proof === undefined ? [] : [proof])];
  if (!(await opensAny(repository, staying, secrets, signal))) {
    throw new SpillwayError('SPW_KEY_SLOT_NEEDED', `the key slot ${id} was not removed`, {
      why:
        staying.length === 0
          ? 'it is the last one'
          : `no secret that was given opens one of the ${staying.length} that would stay`,
      ...(staying.length > 0 && { hint: 'prove with --proof-… that another passphrase or recovery key is at hand' }),
    });
  }
  await lock.assertHeld();
  // A locked slot is put out of sight: its secret opens nothing any more for whoever looks at what there is.
  await repository.storage.remove(keySlotName(id), { hide: true, ...(signal && { signal }) });
  return { removed: id, remaining: staying.length };
}

/** Puts another passphrase in the place of the one in use. */
export async function rotatePassphrase(
  options: OfRepository & { readonly passphrase: string; readonly label?: string },
): Promise<{ readonly added: string; readonly removed: readonly string[]; readonly remaining: number }> {
  const { secret, passphrase, label } = options;
  if (secret.kind !== 'passphrase') {
    throw new SpillwayError('SPW_USAGE', 'only a passphrase can be rotated', {
      why: 'the repository was not opened with one',
      hint: 'for another recovery key or key of KMS: spillway key add, then spillway key remove',
    });
  }
  const fresh: Secret = { kind: 'passphrase', passphrase };
  if (passphrase.normalize('NFKC') === secret.passphrase.normalize('NFKC')) {
    throw new SpillwayError('SPW_USAGE', 'the passphrase was not rotated', { why: 'the new one is the one in use' });
  }
  const old = (await listKeySlots(options)).filter(({ opened }) => opened).map(({ id }) => id);
  // Broken off before, it may have been added already.
  const there = (await listKeySlots({ ...options, secret: fresh })).find(({ opened }) => opened);
  const added =
    there?.id ?? (await addKeySlot({ ...options, passphrase, ...(label !== undefined && { label }) })).slot.id;
  let remaining = 0;
  for (const id of old) ({ remaining } = await removeKeySlot({ ...options, secret: fresh, id }));
  return { added, removed: old, remaining };
}

const idIn = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

async function describe(
  slot: KeySlot,
  repository: Repository,
  secret: Secret,
  signal?: AbortSignal,
): Promise<Omit<KeySlotSummary, 'problem'>> {
  const opened = await opens(repository, slot, secret, signal);
  return { id: slot.slot, kind: slot.kind, created_at: slot.created_at, label: slot.label ?? null, opened };
}

async function opensAny(
  repository: Repository,
  slots: readonly KeySlot[],
  secrets: readonly Secret[],
  signal?: AbortSignal,
): Promise<boolean> {
  for (const slot of slots) {
    for (const secret of secrets) if (await opens(repository, slot, secret, signal)) return true;
  }
  return false;
}

/** Whether the slot leads to all keys of this repository, not just to any. */
async function opens(repository: Repository, slot: KeySlot, secret: Secret, signal?: AbortSignal): Promise<boolean> {
  const opened = await openSlot(repository.storage, slot, secret, signal);
  return opened !== undefined && isBeginningOf(repository.keys, opened.ring);
}
