// `spillway key split` and `key combine`: a recovery key that several people hold together, none of them alone.

import type { KeyCombineDocument, KeySplitDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { readShares } from '../key-secrets.ts';
import { loadFor, openConfigured } from '../session.ts';

export const splitKey: Command<{
  readonly shares: number;
  readonly threshold: number;
  readonly label?: string;
}> = async (context, { shares: count, threshold, label }) => {
  const loaded = await loadFor(context);
  const repository = await openConfigured(context, loaded);
  const { slot, shares } = await engine.addSplitKeySlot({
    repository,
    shares: count,
    threshold,
    signal: context.signal,
    ...(label !== undefined && { label }),
  });
  const document: KeySplitDocument = { slot, repository: repository.id, threshold, shares };
  context.output.result(document, (colours) => {
    const each = shares.map((share, i) => `# ${shareTitle(document, i)}\n${colours.bold(share)}`);
    return `Added the key slot ${slot.id} for a new recovery key. Its shares, shown now and never again:

${each.join('\n\n')}

Give each to another person or place. Any ${threshold} of the ${count} open the repository; fewer tell nothing.
Next, with ${threshold} of them: spillway key check --recovery-share-file <path> --recovery-share-file <path> …`;
  });
  return 0;
};

const shareTitle = ({ repository, threshold, shares, slot }: KeySplitDocument, i: number): string =>
  `Spillway recovery key, share ${i + 1} of ${shares.length}, ${threshold} needed; repository ${repository}, key slot ${slot.id.slice(0, 8)}`;

/** Asks no repository: shares can be tried where there is none. */
export const combineKey: Command<{ readonly recoveryShareFile: readonly string[] }> = async (context, options) => {
  const secret = await readShares(context, options.recoveryShareFile);
  const document: KeyCombineDocument = { recovery_key: secret.kind === 'recovery-key' ? secret.recoveryKey : '' };
  context.output.result(document, () => document.recovery_key);
  return 0;
};
