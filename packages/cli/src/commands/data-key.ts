// `spillway key rotate-data`: a new data key for what is written from now on. See docs/keys.md for what it protects from.

import type { KeyRotateDataDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { type GivenProofs, givenProofs } from '../key-secrets.ts';
import { loadFor, openConfigured, repositorySecret } from '../session.ts';
import { confirmLoss } from '../ui/confirm.ts';

export const rotateDataKey: Command<
  GivenProofs & { readonly cut?: boolean; readonly yes?: boolean; readonly confirm?: string }
> = async (context, options) => {
  const { signal } = context;
  const loaded = await loadFor(context);
  const repository = await openConfigured(context, loaded);
  const secret = await repositorySecret(context, loaded);
  const secrets = [secret, ...(await givenProofs(context, options))];
  let cutOff: readonly string[] | undefined;
  if (options.cut === true) {
    cutOff = (await engine.planDataKeyRotation({ repository, secrets, signal })).others;
    const slots = await engine.listKeySlots({ repository, secret, signal });
    const named = slots.filter(({ id }) => cutOff?.includes(id));
    const list = named.map(
      ({ id, kind, label }) => `  ${id}  ${kind ?? 'unreadable'}${label === null ? '' : `  ${label}`}`,
    );
    await confirmLoss({
      impact:
        list.length === 0
          ? 'Every key slot stays; whoever runs with the old keys must be started again to read what is written from now on.'
          : `These key slots go, because no secret of theirs was given; whoever holds only such a secret cannot open the repository again:\n${list.join('\n')}`,
      name: 'cut',
      yes: options.yes === true,
      confirm: options.confirm,
      mayAsk: context.options.input,
      input: process.stdin,
      output: process.stderr,
      signal,
    });
  }
  const rotation = await engine.rotateDataKey({ repository, secrets, signal, ...(cutOff !== undefined && { cutOff }) });
  const remaining = (await engine.listKeySlots({ repository, secret, signal })).length;
  const document: KeyRotateDataDocument = {
    outcome: rotation.outcome,
    data_key: rotation.number,
    cut: rotation.cut,
    added: rotation.added,
    removed: rotation.removed,
    remaining,
  };
  context.output.result(document, () => rendered(document));
  if (remaining === 1) {
    context.output.warn(
      'only one key slot is left: when its secret is lost, so is the repository; spillway key add adds another',
    );
  }
  return 0;
};

function rendered({ outcome, data_key: number, cut, added, removed }: KeyRotateDataDocument): string {
  const done = {
    made: `Data key ${number} seals what is written from now on. What is there stays under the older keys, and readable.`,
    finished: `Finished the rotation to data key ${number} that was broken off. No further key was made.`,
    found: `Another process made data key ${number} at the same moment. No further key was made.`,
  }[outcome];
  const slots = `Key slots written anew: ${added.length}, removed: ${removed.length}.`;
  const others = cut
    ? 'Secrets that were not given open nothing any more.'
    : 'All other secrets open the repository as before: the old key leads to the new one.';
  return `${done}
${slots} ${others}

Next: start spillway wal receive again wherever it runs, so that it seals with the new key too.
What is stored moves to the new key with time, or now with: spillway expire --repack-below 100`;
}
