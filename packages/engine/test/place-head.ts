// Makes a repository of the stage, which has no head and no key slots, one that can be copied.

import { evidencePublicKey, wrapKeyRing } from '../src/codec/keys.ts';
import { HEAD_NAME, keySlotName } from '../src/format/names.ts';
import { encodeJson, type Repository } from '../src/repository/repository.ts';

export const HEAD_PASSPHRASE = 'x'.repeat(32);

export async function putHead({ id, keys, storage }: Repository): Promise<void> {
  const at = new Date(0).toISOString();
  const slot = await wrapKeyRing(keys, id, { kind: 'passphrase', passphrase: HEAD_PASSPHRASE }, at);
  await storage.put(keySlotName(slot.slot), [encodeJson(slot)]);
  const head = { format: 1, repository: id, created_at: at, evidence_public_key: evidencePublicKey(keys) };
  await storage.put(HEAD_NAME, [encodeJson(head)]);
}
