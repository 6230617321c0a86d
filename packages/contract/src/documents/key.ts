// Who can open the repository: `key add`, `key list`, `key remove` and `key rotate`.

import { z } from 'zod';
import { count, type Immutable, time } from './form.ts';

export const keySlotDocument = z.object({
  id: z.string(),
  /** Null where the slot cannot be read. */
  kind: z.enum(['passphrase', 'recovery-key']).nullable(),
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

export type KeyListDocument = Immutable<z.infer<typeof keyListDocument>>;
export type KeyAddDocument = Immutable<z.infer<typeof keyAddDocument>>;
export type KeyRemoveDocument = Immutable<z.infer<typeof keyRemoveDocument>>;
export type KeyRotateDocument = Immutable<z.infer<typeof keyRotateDocument>>;
