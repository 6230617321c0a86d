// `spillway init`: makes the repository, and shows its recovery key this one time.

import { mkdir } from 'node:fs/promises';
import { SpillwayError, type InitDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { locationOf, placeOf } from '../location.ts';
import { loadFor, passphraseFor } from '../session.ts';
import type { Colours } from '../ui/colour.ts';

export const init: Command<object> = async (context) => {
  if (context.options.repository !== undefined) {
    throw new SpillwayError('SPW_USAGE', 'init does not go together with --repository', {
      why: 'a copy has the keys of the first repository, and is made by copying it',
      hint: `spillway copy ${context.options.repository}`,
    });
  }
  const loaded = await loadFor(context);
  const location = await locationOf(context, loaded);
  const passphrase = await passphraseFor(context, loaded);
  if (location.kind === 'filesystem') await makeFolder(location.path);
  const made = await engine.initRepository({ location, passphrase: passphrase.reveal() });
  const document: InitDocument = {
    repository_id: made.repositoryId,
    path: placeOf(loaded),
    recovery_key: made.recoveryKey,
    evidence_public_key: made.evidencePublicKey,
  };
  context.output.result(document, (colours) => renderInit(document, colours));
  return 0;
};

/** For this user alone; one that is there stays as it is, and the engine refuses it when something is in it. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `cannot make the folder ${path}`, { cause: error });
  }
}

export function renderInit(document: InitDocument, colours: Colours): string {
  const { repository_id: id, path, recovery_key: key, evidence_public_key: publicKey } = document;
  const edge = '-'.repeat(Math.max(key.length, 40) + 4);
  return `Made the repository ${id} in ${path}.

Recovery key, shown now and never again:

+${edge}+
|  ${colours.bold(key)}${' '.repeat(edge.length - key.length - 2)}|
+${edge}+

It opens the repository when the passphrase is lost. Without both, nothing in it can be read by anybody.
Write it down or print it, and keep it away from this machine and from the repository.

Public key of the evidence, no secret:

  ${publicKey}

With it anybody checks what was proven (spillway evidence verify). Whoever can write to the repository could put another
one in its place: give it to your auditor, or keep it where the repository's administrators cannot change it.

Next: spillway check`;
}
