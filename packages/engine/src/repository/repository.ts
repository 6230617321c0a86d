// A repository: making one, opening one, and reading and writing its whole objects.
//
// 1. `spillway.json`, the head, is clear text and never rewritten. It is written last, so a repository either has a head
//    and at least two key slots, or is none.
// 2. Opening: read the head, refuse a newer format, try the secret on each slot, and check that the head's evidence key
//    is the one that follows from the key ring, so that a swapped head is noticed.
// 3. A slot that holds only the older data keys leads to the newer ones by `ring.ts`; an object that was sealed by a data
//    key made since the repository was opened makes it look there again.
// 4. What the key ring unlocks never leaves this process except to its own worker threads (`RepositoryHandle`).

import { randomUUID } from 'node:crypto';
import { isSpillwayError, SpillwayError } from '@spillway/contract';
import {
  currentKeyNumber,
  evidencePublicKey,
  type KeyRing,
  type KeySlot,
  newKeyRing,
  parseKeySlot,
  type Secret,
  unwrapKeyRing,
  wrapKeyRing,
  stretchAhead,
} from '../codec/keys.ts';
import { discard } from '../codec/discard.ts';
import { newRecoveryKey } from '../codec/recovery-key.ts';
import { type Compression, openFrames, openObject, sealObject } from '../codec/seal.ts';
import { HEAD_NAME, keySlotName } from '../format/names.ts';
import { FORMAT_VERSION, type ObjectKind, parseHead } from '../format/object.ts';
import { openStorage } from '../storage/open.ts';
import { shareStorage } from '../storage/process-state.ts';
import type { ObjectName, Storage, StorageLocation } from '../storage/port.ts';
import { elsewhere } from './elsewhere.ts';
import { extendRing, type ExtendedRing } from './ring.ts';

/** Plain data from which a worker thread has the same repository without unlocking it again. */
export interface RepositoryHandle {
  readonly id: string;
  readonly location: StorageLocation;
  readonly keys: KeyRing;
}

export interface Head {
  readonly format: number;
  readonly repository: string;
  readonly created_at: string;
  /** Ed25519, SPKI in base64: with it anybody can check signed evidence without any secret. */
  readonly evidence_public_key: string;
}

export class Repository {
  readonly id: string;
  readonly location: StorageLocation;
  readonly storage: Storage;
  /** Grows where the data key is rotated meanwhile; nothing else ever changes it. */
  keys: KeyRing;

  /** `storage`: in place of the one at the location, for who looks on at what is written. */
  constructor(handle: RepositoryHandle, storage?: Storage) {
    this.id = handle.id;
    this.location = shareStorage(handle.location);
    this.keys = handle.keys;
    this.storage = storage ?? openStorage(this.location);
  }

  /** Ed25519, SPKI in base64: that of the head, which was compared with it. */
  get evidencePublicKey(): string {
    return evidencePublicKey(this.keys);
  }

  /** For another process. */
  get handle(): RepositoryHandle {
    const { shared: _, ...location } = this.location;
    return { id: this.id, location, keys: this.keys };
  }

  /** For a thread of this process: it shares counters and bandwidth with this one. */
  get threadHandle(): RepositoryHandle {
    return { id: this.id, location: this.location, keys: this.keys };
  }

  /**
   * The key ring for the object of that head: where the data key was rotated since, with the new one. Throws
   * SPW_KEY_ROTATED where that cannot be had; a number that no data key has is left to be told as damage.
   */
  async keysFor(name: ObjectName, head: Uint8Array, signal?: AbortSignal): Promise<KeyRing> {
    const parsed = parseHead(head);
    if (typeof parsed === 'string' || parsed.dataKeyNumber <= currentKeyNumber(this.keys)) return this.keys;
    const { stop } = await this.refreshKeys(signal);
    if (stop === undefined || parsed.dataKeyNumber <= currentKeyNumber(this.keys)) return this.keys;
    throw new SpillwayError('SPW_KEY_ROTATED', `${name} cannot be read`, {
      why:
        stop.why === 'damaged'
          ? `it was sealed with data key ${parsed.dataKeyNumber}, and ${stop.cause?.message}`
          : `it was sealed with data key ${parsed.dataKeyNumber}, and data key ${stop.number} was made without the secret in use`,
      cause: stop.cause,
    });
  }

  /** Takes up data keys that were made since; `secret` is needed for those to which no link leads. */
  async refreshKeys(signal?: AbortSignal, secret?: Secret): Promise<ExtendedRing> {
    const extended = await extendRing(this.storage, this.id, this.keys, secret, signal);
    // Another refresh may have been faster.
    if (extended.ring.dataKeys.length > this.keys.dataKeys.length) this.keys = extended.ring;
    return extended;
  }

  /** The frames of a large object, opened one at a time as they are wanted. */
  async readFrames(kind: ObjectKind, name: ObjectName, signal?: AbortSignal): Promise<Iterable<Uint8Array>> {
    const object = await this.storage.get(name, signal && { signal });
    return openFrames(await this.keysFor(name, object, signal), kind, name, object);
  }

  /** The frames of a whole object. */
  async read(kind: ObjectKind, name: ObjectName, signal?: AbortSignal): Promise<readonly Uint8Array[]> {
    return elsewhere(this, name, async () => {
      const object = await this.storage.get(name, signal && { signal });
      return openObject(await this.keysFor(name, object, signal), kind, name, object);
    });
  }

  /** Durable when it returns. `exists` where the name was taken: what is there was left as it is. */
  async write(
    kind: ObjectKind,
    name: ObjectName,
    frames: Iterable<Uint8Array>,
    options: { compression?: Compression; signal?: AbortSignal } = {},
  ): Promise<{ readonly outcome: 'created' | 'exists'; readonly storedBytes: number }> {
    const object = await sealObject(this.keys, kind, name, frames, options.compression);
    const storedBytes = object.byteLength;
    const outcome = await this.storage.put(name, [object], options.signal && { signal: options.signal });
    discard(object);
    return { outcome, storedBytes };
  }
}

/** Makes an empty repository. The recovery key is returned here once and kept nowhere. */
export async function initRepository(options: {
  readonly location: StorageLocation;
  readonly passphrase: string;
  readonly now?: Date;
  readonly signal?: AbortSignal;
}): Promise<{ readonly repositoryId: string; readonly recoveryKey: string; readonly evidencePublicKey: string }> {
  const { signal } = options;
  const storage = openStorage(options.location);
  for await (const object of storage.list('', signal && { signal })) {
    throw new SpillwayError('SPW_REPOSITORY_EXISTS', `no repository was made at ${storage.description}`, {
      why: object.name === HEAD_NAME ? 'there is one already' : `${object.name} lies there already`,
      ...(object.name.startsWith('keys/') && {
        hint: `name an empty place; where keys/ lies alone, without ${HEAD_NAME}, an interrupted init left it, and it may be removed`,
      }),
    });
  }
  const createdAt = (options.now ?? new Date()).toISOString();
  const repositoryId = randomUUID();
  const recoveryKey = newRecoveryKey();
  const ring = newKeyRing();
  const secrets: readonly Secret[] = [
    { kind: 'passphrase', passphrase: options.passphrase },
    { kind: 'recovery-key', recoveryKey },
  ];
  const slots = await Promise.all(secrets.map((secret) => wrapKeyRing(ring, repositoryId, secret, createdAt)));
  for (const slot of slots) await storage.put(keySlotName(slot.slot), [encodeJson(slot)], signal && { signal });
  // Everything rests on names that are given once. A second time the same bytes harm nothing where it does not hold.
  for (const slot of slots) {
    const again = await storage.put(keySlotName(slot.slot), [encodeJson(slot)], signal && { signal });
    if (again === 'exists') continue;
    throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `no repository was made at ${storage.description}`, {
      why: 'the storage overwrites what is there, though it was told not to (If-None-Match: *)',
      hint: 'use a server that knows conditional requests: AWS S3, Ceph, or another that answers 412',
    });
  }
  const head: Head = {
    format: FORMAT_VERSION,
    repository: repositoryId,
    created_at: createdAt,
    evidence_public_key: evidencePublicKey(ring),
  };
  if ((await storage.put(HEAD_NAME, [encodeJson(head)], signal && { signal })) === 'exists') {
    throw new SpillwayError('SPW_REPOSITORY_EXISTS', `no repository was made at ${storage.description}`, {
      why: 'another process made one at the same moment',
    });
  }
  return { repositoryId, recoveryKey, evidencePublicKey: head.evidence_public_key };
}

export async function openRepository(options: {
  readonly location: StorageLocation;
  readonly secret: Secret;
  readonly signal?: AbortSignal;
}): Promise<Repository> {
  const { secret, signal } = options;
  const location = shareStorage(options.location);
  const storage = openStorage(location);
  const head = await readHead(storage, signal);
  const keys = await unlock(storage, head.repository, secret, signal);
  if (evidencePublicKey(keys) !== head.evidence_public_key) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${HEAD_NAME} is damaged`, {
      why: 'its evidence key is not the one that belongs to this repository',
    });
  }
  return new Repository({ id: head.repository, location, keys });
}

/**
 * Begins what opening takes longest for, so that a program can load itself meanwhile: the stretching of a passphrase. Only for
 * a folder, whose key slots are at hand. Fails as opening would, and is no more than a hint of it.
 */
export async function openAhead(location: StorageLocation, secret: Secret, signal: AbortSignal): Promise<void> {
  if (location.kind !== 'filesystem' || secret.kind !== 'passphrase') return;
  const storage = openStorage(shareStorage(location));
  const { repository } = await readHead(storage, signal);
  for await (const { slot } of readKeySlots(storage, repository, signal)) {
    if (typeof slot === 'string' || slot.kind !== 'passphrase') continue;
    return stretchAhead(slot, secret);
  }
}

/** Throws SPW_REPOSITORY_MISSING where the place has none. */
export async function readHead(storage: Storage, signal: AbortSignal | undefined): Promise<Head> {
  let bytes: Uint8Array;
  try {
    bytes = await storage.get(HEAD_NAME, signal && { signal });
  } catch (cause) {
    if (!isSpillwayError(cause, 'SPW_OBJECT_MISSING')) throw cause;
    throw new SpillwayError('SPW_REPOSITORY_MISSING', `there is no repository at ${storage.description}`, {
      why: `it has no ${HEAD_NAME}`,
      cause,
    });
  }
  const head = parseJson(bytes, HEAD_NAME) as Partial<Head>;
  if (typeof head.format === 'number' && head.format > FORMAT_VERSION) {
    throw new SpillwayError('SPW_REPOSITORY_NEWER', `the repository at ${storage.description} cannot be opened`, {
      why: `it has format ${head.format}, and this version of Spillway knows formats up to ${FORMAT_VERSION}`,
    });
  }
  const { format, repository, created_at, evidence_public_key } = head;
  if (
    typeof format !== 'number' ||
    format < 1 ||
    typeof repository !== 'string' ||
    typeof created_at !== 'string' ||
    typeof evidence_public_key !== 'string'
  ) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${HEAD_NAME} is damaged`, {
      why: 'a member of it is missing or of the wrong form',
    });
  }
  return { format, repository, created_at, evidence_public_key };
}

async function unlock(
  storage: Storage,
  repository: string,
  secret: Secret,
  signal: AbortSignal | undefined,
): Promise<KeyRing> {
  let slots = 0;
  let cutOff: number | undefined;
  let shorter: KeyRing | undefined;
  let refusal: SpillwayError | undefined;
  const unusable: string[] = [];
  for await (const { name, slot } of readKeySlots(storage, repository, signal)) {
    slots++;
    // A slot that is damaged must not keep the others from being tried: any one of them opens the repository.
    if (typeof slot === 'string') unusable.push(`${name}: ${slot}`);
    else {
      let extended: ExtendedRing | undefined;
      try {
        extended = await openSlot(storage, slot, secret, signal);
      } catch (error) {
        // Another slot may be wrapped by a key that can be used, or in a region that answers.
        if (!isSpillwayError(error, 'SPW_KMS_DENIED', 'SPW_KMS_UNREACHABLE')) throw error;
        refusal = error;
        continue;
      }
      if (extended?.stop === undefined) {
        if (extended !== undefined) return extended.ring;
      } else if (extended.stop.why === 'cut-off') cutOff = extended.stop.number;
      else shorter = extended.ring;
    }
  }
  // What the older data keys sealed can still be had; what needs the newer ones says so.
  if (shorter !== undefined) return shorter;
  if (refusal !== undefined) throw refusal;
  const words = secretWords[secret.kind];
  if (cutOff !== undefined) {
    throw new SpillwayError('SPW_KEY_ROTATED', `the repository at ${storage.description} stays closed`, {
      why: `the ${words} opens a key slot from before data key ${cutOff}, which was made without it`,
      hint: 'use a secret that was given when the data key was rotated',
    });
  }
  const also = unusable.length === 0 ? '' : `; of these, unusable: ${unusable.join('; ')}`;
  throw new SpillwayError('SPW_KEY_WRONG', `the repository at ${storage.description} stays closed`, {
    why: `the ${words} opens none of its ${slots} key slots${also}`,
  });
}

const secretWords: Readonly<Record<Secret['kind'], string>> = {
  passphrase: 'passphrase',
  'recovery-key': 'recovery key',
  'aws-kms': 'key of AWS KMS',
};

/** The whole ring to which the slot leads; undefined where the secret is not this slot's. */
export async function openSlot(
  storage: Storage,
  slot: KeySlot,
  secret: Secret,
  signal?: AbortSignal,
): Promise<ExtendedRing | undefined> {
  const ring = await unwrapKeyRing(slot, secret);
  return ring && extendRing(storage, slot.repository, ring, secret, signal);
}

/** Every key slot, in the order in which they are tried; a phrase says why one is none of this repository. */
export async function* readKeySlots(
  storage: Storage,
  repository: string,
  signal?: AbortSignal,
): AsyncIterable<{ readonly name: ObjectName; readonly slot: KeySlot | string }> {
  for await (const { name } of storage.list('keys/', signal && { signal })) {
    yield { name, slot: await readSlot(storage, name, repository, signal) };
  }
}

/** The slot, or a phrase that says why it is none of this repository. */
async function readSlot(
  storage: Storage,
  name: ObjectName,
  repository: string,
  signal: AbortSignal | undefined,
): Promise<KeySlot | string> {
  try {
    const slot = parseKeySlot(parseJson(await storage.get(name, signal && { signal }), name));
    if (typeof slot === 'string') return slot;
    if (slot.repository !== repository) return 'it belongs to another repository';
    return keySlotName(slot.slot) === name ? slot : 'it is not the slot of that name';
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_DAMAGED')) return error.why ?? error.message;
    // Removed between list and read: a slot that was just revoked.
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return 'it was just removed';
    throw error;
  }
}

export const encodeJson = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

function parseJson(bytes: Uint8Array, name: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { why: 'it is not JSON', cause });
  }
  throw new SpillwayError('SPW_OBJECT_DAMAGED', `${name} is damaged`, { why: 'it is not a JSON object' });
}
