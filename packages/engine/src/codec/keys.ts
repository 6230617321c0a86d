// Keys, from a secret somebody holds down to the key of one object.
//
//   passphrase --scrypt-->  slot key --unwraps--> key ring: numbered random data keys
//   recovery key --HKDF-->  slot key --unwraps--> the same key ring
//   key of KMS --Decrypt--> 32 random bytes --HKDF--> slot key --unwraps--> the same key ring
//   data key --HKDF(object's salt; kind, name)--> object key: one for each object, never used for another
//   first data key --HKDF--> id key (chunk ids) and the seed of the Ed25519 key that signs evidence
//
// 1. A slot is clear JSON whose wrapped part is bound to the repository's id and to every word of the slot.
// 2. Adding or removing a slot is an object more or less; neither data nor other slots change.
// 3. A secret that opens no slot is refused: there is no way to go on without the key ring.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  scrypt,
} from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { SpillwayError } from '@spillway/contract';
import { FORMAT_VERSION, type ObjectKind, SALT_BYTES, TAG_BYTES } from '../format/object.ts';
import { parseRecoveryKey } from './recovery-key.ts';

export const DATA_KEY_BYTES = 32;
export const PASSPHRASE_CHARACTERS_MIN = 32;

/** A passphrase has at least 32 characters, so scrypt only has to slow guessing down, and every command pays for it. */
const SCRYPT: ScryptCost = { n: 32768, r: 8, p: 1 };
/** A slot is clear text that anybody may have written: this much work and memory (1 GiB) is the most it can ask for. */
const SCRYPT_MAX = { n: 1 << 20, r: 8, p: 16 } as const;

export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** Data keys by their numbers; the highest one seals what is written from now on. Plain data: workers get it too. */
export interface KeyRing {
  readonly dataKeys: readonly { readonly number: number; readonly key: Uint8Array }[];
}

export type Secret =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'recovery-key'; readonly recoveryKey: string }
  | { readonly kind: 'aws-kms'; readonly kms: KeyService };

/** Says of which repository and slot a wrapped key is; it is unwrapped for no other. */
export type KeyContext = Readonly<Record<string, string>>;

/** Wraps keys with one that never leaves the service. */
export interface KeyService {
  /** `key` names the one that was used, in full. */
  encrypt(plain: Uint8Array, context: KeyContext): Promise<{ readonly ciphertext: Uint8Array; readonly key: string }>;
  /** Undefined where it was not wrapped so; throws where the service cannot be asked, or refuses. */
  decrypt(ciphertext: Uint8Array, key: string, context: KeyContext): Promise<Uint8Array | undefined>;
}

/** A key slot as it lies in the repository. */
export interface KeySlot {
  readonly format: number;
  readonly repository: string;
  readonly slot: string;
  readonly kind: Secret['kind'];
  readonly created_at: string;
  /** What a person calls it; bound like all else, and absent where none was given. */
  readonly label?: string;
  readonly kdf:
    | { readonly name: 'scrypt'; readonly n: number; readonly r: number; readonly p: number; readonly salt: string }
    | { readonly name: 'hkdf-sha256'; readonly salt: string }
    /** `key`: the ARN of the key of KMS; `encrypted`: what it made of 32 random bytes, in base64. */
    | { readonly name: 'aws-kms'; readonly salt: string; readonly key: string; readonly encrypted: string };
  /** Nonce (12 bytes), ciphertext and tag, in base64. */
  readonly wrapped: string;
}

export const newDataKey = (): Uint8Array => new Uint8Array(randomBytes(DATA_KEY_BYTES));

export const newKeyRing = (): KeyRing => ({ dataKeys: [{ number: 1, key: newDataKey() }] });

const derive = (key: Uint8Array, salt: Uint8Array | string, info: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, info, bytes));

const firstKey = (ring: KeyRing): Uint8Array => {
  const first = ring.dataKeys[0];
  if (first === undefined) throw new SpillwayError('SPW_INTERNAL', 'the key ring is empty');
  return first.key;
};

/** The number of the key that seals new objects. */
export const currentKeyNumber = (ring: KeyRing): number => ring.dataKeys.at(-1)?.number ?? 0;

/** Undefined where the ring has no data key of that number. */
export function objectKey(
  ring: KeyRing,
  dataKeyNumber: number,
  salt: Uint8Array,
  kind: ObjectKind,
  name: string,
): KeyObject | undefined {
  const key = ring.dataKeys.find((entry) => entry.number === dataKeyNumber)?.key;
  // As a key object: from bytes Node would make one anew for every frame.
  return key && createSecretKey(derive(key, salt, `spillway object v${FORMAT_VERSION}\0${kind}\0${name}`, 32));
}

export const idKey = (ring: KeyRing): KeyObject => createSecretKey(derive(firstKey(ring), '', 'spillway chunk id', 32));

/** The id of a chunk by its plain bytes; `key` is the repository's `idKey`. */
export const chunkId = (key: KeyObject, plain: Uint8Array): Buffer => createHmac('sha256', key).update(plain).digest();

/** PKCS #8 wrapping of an Ed25519 seed, RFC 8410. */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export function evidenceKey(ring: KeyRing): KeyObject {
  const seed = derive(firstKey(ring), '', 'spillway evidence signing', 32);
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

/** SPKI in base64. */
export const evidencePublicKey = (ring: KeyRing): string =>
  createPublicKey(evidenceKey(ring)).export({ format: 'der', type: 'spki' }).toString('base64');

export async function wrapKeyRing(
  ring: KeyRing,
  repository: string,
  secret: Secret,
  createdAt: string,
  label?: string,
  cost = SCRYPT,
): Promise<KeySlot> {
  const characters = secret.kind === 'passphrase' ? Array.from(secret.passphrase).length : PASSPHRASE_CHARACTERS_MIN;
  if (characters < PASSPHRASE_CHARACTERS_MIN) {
    throw new SpillwayError('SPW_PASSPHRASE_SHORT', 'the passphrase was refused', {
      why: `it has ${characters} characters, and at least ${PASSPHRASE_CHARACTERS_MIN} are needed`,
    });
  }
  const salt = randomBytes(SALT_BYTES).toString('base64');
  const id = randomUUID();
  const { kdf, key } = await newSlotKey(secret, salt, repository, id, cost);
  const slot = {
    format: FORMAT_VERSION,
    repository,
    slot: id,
    kind: secret.kind,
    created_at: createdAt,
    ...(label === undefined ? {} : { label }),
    kdf,
  };
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(boundWords(slot));
  const sealed = Buffer.concat([cipher.update(encodeRing(ring)), cipher.final(), cipher.getAuthTag()]);
  return { ...slot, wrapped: Buffer.concat([nonce, sealed]).toString('base64') };
}

/** A slot as it was read, or a phrase that says why it is none of this format. */
export function parseKeySlot(value: object): KeySlot | string {
  const slot = value as Partial<KeySlot>;
  const { format, repository, slot: id, kind, created_at, label, kdf, wrapped } = slot;
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) return 'its format is no number from 1';
  if (format > FORMAT_VERSION) return `it has format ${format}, and this version knows formats up to ${FORMAT_VERSION}`;
  for (const [member, word] of Object.entries({ repository, slot: id, created_at, wrapped, salt: kdf?.salt })) {
    if (typeof word !== 'string') return `its member ${member} is missing`;
  }
  if (label !== undefined && typeof label !== 'string') return 'its label is no text';
  if (kind === 'recovery-key' && kdf?.name === 'hkdf-sha256') return slot as KeySlot;
  if (kind === 'aws-kms' && kdf?.name === 'aws-kms') {
    return typeof kdf.key === 'string' && typeof kdf.encrypted === 'string'
      ? (slot as KeySlot)
      : 'it names no key of KMS';
  }
  if (kind !== 'passphrase' || kdf?.name !== 'scrypt') return 'its kind and its key derivation do not fit one another';
  const { n, r, p } = kdf;
  const powerOfTwo = fits(n, SCRYPT_MAX.n) && n > 1 && (n & (n - 1)) === 0;
  if (!powerOfTwo || !fits(r, SCRYPT_MAX.r) || !fits(p, SCRYPT_MAX.p)) return 'its scrypt cost is out of bounds';
  return slot as KeySlot;
}

const fits = (cost: number, max: number): boolean => Number.isInteger(cost) && cost >= 1 && cost <= max;

/** Undefined where the secret is not this slot's. */
export async function unwrapKeyRing(slot: KeySlot, secret: Secret): Promise<KeyRing | undefined> {
  if (slot.kind !== secret.kind) return undefined;
  const wrapped = Buffer.from(slot.wrapped, 'base64');
  if (wrapped.length < 12 + TAG_BYTES) return undefined;
  const key = await slotKey(slot, secret);
  if (key === undefined) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, 12));
  decipher.setAAD(boundWords(slot));
  decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_BYTES));
  try {
    const plain = Buffer.concat([decipher.update(wrapped.subarray(12, wrapped.length - TAG_BYTES)), decipher.final()]);
    return decodeRing(plain);
  } catch {
    // The tag did not fit: another secret, or a slot that was tampered with. Either way this slot does not open.
    return undefined;
  }
}

/** How a new slot's key is had again, and the key. */
async function newSlotKey(
  secret: Secret,
  salt: string,
  repository: string,
  slot: string,
  cost: ScryptCost,
): Promise<{ readonly kdf: KeySlot['kdf']; readonly key: Buffer }> {
  if (secret.kind === 'aws-kms') {
    const plain = new Uint8Array(randomBytes(DATA_KEY_BYTES));
    const { ciphertext, key: arn } = await secret.kms.encrypt(plain, contextOf(repository, slot));
    const encrypted = Buffer.from(ciphertext).toString('base64');
    return { kdf: { name: 'aws-kms', salt, key: arn, encrypted }, key: kmsSlotKey(plain, salt) };
  }
  const kdf =
    secret.kind === 'passphrase'
      ? ({ name: 'scrypt', ...cost, salt } as const)
      : ({ name: 'hkdf-sha256', salt } as const);
  const key = await slotKey({ kdf, repository, slot }, secret);
  if (key === undefined) throw new SpillwayError('SPW_INTERNAL', 'a new key slot has no key');
  return { kdf, key };
}

const contextOf = (repository: string, slot: string): KeyContext => ({
  'spillway:repository': repository,
  'spillway:slot': slot,
});

const kmsSlotKey = (plain: Uint8Array, salt: string): Buffer =>
  derive(plain, Buffer.from(salt, 'base64'), 'spillway kms slot', 32);

/** Undefined where a key service did not wrap it so. */
async function slotKey(
  { kdf, repository, slot }: Pick<KeySlot, 'kdf' | 'repository' | 'slot'>,
  secret: Secret,
): Promise<Buffer | undefined> {
  const salt = Buffer.from(kdf.salt, 'base64');
  if (secret.kind === 'aws-kms') {
    if (kdf.name !== 'aws-kms') throw new SpillwayError('SPW_OBJECT_DAMAGED', 'a KMS slot names no key of KMS');
    const encrypted = new Uint8Array(Buffer.from(kdf.encrypted, 'base64'));
    const plain = await secret.kms.decrypt(encrypted, kdf.key, contextOf(repository, slot));
    return plain && kmsSlotKey(plain, kdf.salt);
  }
  if (secret.kind === 'recovery-key') {
    return derive(parseRecoveryKey(secret.recoveryKey), salt, 'spillway recovery key slot', 32);
  }
  if (kdf.name !== 'scrypt') throw new SpillwayError('SPW_OBJECT_DAMAGED', 'a passphrase slot names no scrypt');
  const begun = begunAhead;
  begunAhead = undefined;
  const isIt = begun?.passphrase === secret.passphrase && isDeepStrictEqual(begun.kdf, kdf);
  return isIt ? begun.key : stretch(secret.passphrase, kdf);
}

type Scrypt = Extract<KeySlot['kdf'], { readonly name: 'scrypt' }>;

/** What was begun before it was asked for; whoever asks next takes it, and nothing is kept. */
let begunAhead: { readonly passphrase: string; readonly kdf: Scrypt; readonly key: Promise<Buffer> } | undefined;

/** Begins, in another thread, what takes longest when the slot is opened; it is opened as ever. */
export function stretchAhead({ kdf }: KeySlot, secret: Secret): void {
  if (secret.kind !== 'passphrase' || kdf.name !== 'scrypt') return;
  const key = stretch(secret.passphrase, kdf);
  // Whoever opens the slot hears of it.
  key.catch(() => undefined);
  begunAhead = { passphrase: secret.passphrase, kdf, key };
}

function stretch(passphrase: string, { n, r, p, salt }: Scrypt): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { N: n, r, p, maxmem: 256 * n * r };
  scrypt(passphrase.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, options, (error, key) =>
    error ? reject(error) : resolve(key),
  );
  return promise;
}

const boundWords = (slot: Omit<KeySlot, 'wrapped'>): Buffer =>
  Buffer.from(
    JSON.stringify([
      'spillway key slot',
      slot.format,
      slot.repository,
      slot.slot,
      slot.kind,
      slot.created_at,
      slot.kdf.name,
      slot.kdf.salt,
      slot.kdf.name === 'scrypt'
        ? [slot.kdf.n, slot.kdf.r, slot.kdf.p]
        : slot.kdf.name === 'aws-kms'
          ? [slot.kdf.key, slot.kdf.encrypted]
          : [],
      // Slots without a label were bound before there were any.
      ...(slot.label === undefined ? [] : [slot.label]),
    ]),
  );

/** For each data key its number (u16) and its 32 bytes. */
function encodeRing(ring: KeyRing): Buffer {
  return Buffer.concat(
    ring.dataKeys.map(({ number, key }) => {
      const numbered = Buffer.alloc(2 + DATA_KEY_BYTES);
      numbered.writeUInt16LE(number, 0);
      numbered.set(key, 2);
      return numbered;
    }),
  );
}

function decodeRing(bytes: Buffer): KeyRing {
  const dataKeys = [];
  for (let at = 0; at + 2 + DATA_KEY_BYTES <= bytes.length; at += 2 + DATA_KEY_BYTES) {
    dataKeys.push({
      number: bytes.readUInt16LE(at),
      key: new Uint8Array(bytes.subarray(at + 2, at + 2 + DATA_KEY_BYTES)),
    });
  }
  return { dataKeys };
}
