// Who can open the repository: `key add`, `key list`, `key remove` and `key rotate`; data keys, shares and checks.

import * as z from 'zod';
import { count, type Immutable, time } from './form.ts';

const keySlotKind = z.enum(['passphrase', 'recovery-key', 'aws-kms']);

export const keySlotDocument = z.object({
  id: z.string(),
  /** Null where the slot cannot be read. */
  kind: keySlotKind.nullable(),
  created_at: time.nullable(),
  label: z.string().nullable(),
  /** Whether the secret in use opens it. */
  opened: z.boolean(),
  /** Why it opens nothing; null where nothing is known to be wrong. */
  problem: z.string().nullable(),
});

/** `key list`. */
export const keyListDocument = z.object({ slots: z.array(keySlotDocument) });

/** `key add`: the only place where a further recovery key is ever shown. */
export const keyAddDocument = z.object({ slot: keySlotDocument, recovery_key: z.string().nullable() });

/** `key remove`. */
export const keyRemoveDocument = z.object({ removed: z.string(), remaining: count });

/** `key rotate`. */
export const keyRotateDocument = z.object({ added: z.string(), removed: z.array(z.string()), remaining: count });

/** `key rotate-data`. */
export const keyRotateDataDocument = z.object({
  /** `finished`: one that was broken off; `found`: another process made the key at the same moment. */
  outcome: z.enum(['made', 'finished', 'found']),
  /** The number of the key that seals from now on. */
  data_key: count,
  /** Whether the old key does not lead to the new one, so that only the secrets that were given do. */
  cut: z.boolean(),
  /** Ids of key slots. */
  added: z.array(z.string()),
  removed: z.array(z.string()),
  remaining: count,
});

/** `key split`: the only place where the shares are ever shown. */
export const keySplitDocument = z.object({
  slot: keySlotDocument,
  repository: z.string(),
  threshold: count,
  shares: z.array(z.string()),
});

/** `key combine`. */
export const keyCombineDocument = z.object({ recovery_key: z.string() });

/** `key check`. */
export const keyCheckDocument = z.object({
  slot: z.string(),
  slot_kind: keySlotKind,
  label: z.string().nullable(),
  /** Each with an object that was opened with it; null where nothing that it sealed was found. */
  data_keys: z.array(z.object({ number: count, object: z.string().nullable() })),
  /** Ids of the signed records, one for each cluster. */
  evidence: z.array(z.string()),
});

export type KeyRotateDataDocument = Immutable<z.infer<typeof keyRotateDataDocument>>;
export type KeySplitDocument = Immutable<z.infer<typeof keySplitDocument>>;
export type KeyCombineDocument = Immutable<z.infer<typeof keyCombineDocument>>;
export type KeyCheckDocument = Immutable<z.infer<typeof keyCheckDocument>>;
export type KeyListDocument = Immutable<z.infer<typeof keyListDocument>>;
export type KeyAddDocument = Immutable<z.infer<typeof keyAddDocument>>;
export type KeyRemoveDocument = Immutable<z.infer<typeof keyRemoveDocument>>;
export type KeyRotateDocument = Immutable<z.infer<typeof keyRotateDocument>>;
