// `spillway init`: makes the repository, and shows its recovery key this one time.

import type { InitDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { loadFor, locationOf, passphraseFor } from '../session.ts';
import type { Colours } from '../ui/colour.ts';

export const init: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const location = locationOf(loaded);
  const passphrase = await passphraseFor(context, loaded);
  const { repositoryId, recoveryKey } = await engine.initRepository({ location, passphrase: passphrase.reveal() });
  const document: InitDocument = { repository_id: repositoryId, path: location.path, recovery_key: recoveryKey };
  context.output.result(document, (colours) => renderInit(document, colours));
  return 0;
};

export function renderInit({ repository_id: id, path, recovery_key: key }: InitDocument, colours: Colours): string {
  const edge = '-'.repeat(Math.max(key.length, 40) + 4);
  return `Made the repository ${id} in ${path}.

Recovery key, shown now and never again:

+${edge}+
|  ${colours.bold(key)}${' '.repeat(edge.length - key.length - 2)}|
+${edge}+

It opens the repository when the passphrase is lost. Without both, nothing in it can be read by anybody.
Write it down or print it, and keep it away from this machine and from the repository.

Next: spillway check`;
}
