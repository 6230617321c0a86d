// Makes a test's repository quick to open: each command that a test starts stretches the passphrase anew, which takes a tenth
// of a second of a core, and a quarter of all that such tests took.
//
// The slot that `init` made is replaced by one that costs next to nothing, as the format allows. All else is as it was, and a slot
// that is made later, by `key add` or `key rotate`, has the whole cost again.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ScryptCost, unwrapKeyRing, wrapKeyRing } from '../src/codec/keys.ts';
import { keySlotName } from '../src/format/names.ts';
import { encodeJson, readKeySlots } from '../src/repository/repository.ts';
import { openStorage } from '../src/storage/open.ts';

const LITTLE: ScryptCost = { n: 64, r: 1, p: 1 };

/** Of the repository in `folder`, whose passphrase is beside it in a file; nobody may have it open. */
export async function lightenPassphrase(
  folder: string,
  path = join(folder, 'repository'),
  passphraseFile = join(folder, 'passphrase'),
): Promise<void> {
  const secret = { kind: 'passphrase', passphrase: (await readFile(passphraseFile, 'utf8')).trimEnd() } as const;
  const storage = openStorage({ kind: 'filesystem', path });
  const { repository } = JSON.parse(await readFile(join(path, 'spillway.json'), 'utf8')) as {
    readonly repository: string;
  };
  let lightened = 0;
  for await (const { name, slot } of readKeySlots(storage, repository)) {
    const ring = typeof slot === 'string' ? undefined : await unwrapKeyRing(slot, secret);
    if (typeof slot === 'string' || ring === undefined) continue;
    const light = await wrapKeyRing(ring, repository, secret, slot.created_at, slot.label, LITTLE);
    await writeFile(join(path, keySlotName(light.slot)), encodeJson(light), { mode: 0o400, flag: 'wx' });
    await rm(join(path, name));
    lightened++;
  }
  assert.equal(lightened, 1, 'passphrase slots that were made light');
}
