// `spillway completion <shell>`, and `__complete`, which its scripts ask for names that only the configuration and the
// repository know.
//
// `__complete` stands behind a Tab: it opens nothing that wants a secret, gives up soon, and says nothing on errors. On a
// machine so busy that even this takes long, SPILLWAY_COMPLETE_WITHIN_MS lets it take longer.

import { isSpillwayError, type CompletionDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import type { CommandDescription } from '../program/describe.ts';
import { completionScript, shells } from '../reference/completion.ts';
import { locationOf } from '../location.ts';
import { clusterName, loadFor } from '../session.ts';

const COMPLETE_WITHIN_MS = 2000;

export const completion =
  (tree: CommandDescription): Command<object> =>
  async ({ output }, _options, word) => {
    const shell = shells.find((known) => known === word) ?? 'bash';
    const document: CompletionDocument = { shell, script: completionScript(shell, tree) };
    output.result(document, () => document.script);
    return 0;
  };

export const complete: Command<object> = async (context, _options, what) => {
  const within = Number(context.environment['SPILLWAY_COMPLETE_WITHIN_MS'] ?? COMPLETE_WITHIN_MS);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(within)]);
  let names: readonly string[] = [];
  try {
    const loaded = await loadFor(context);
    if (what === 'clusters') names = Object.keys(loaded.configuration.clusters);
    if (what === 'backups' || what === 'dumps') {
      const { listBackupIds, listDumpIds } = await import('@spillway/engine');
      const list = what === 'backups' ? listBackupIds : listDumpIds;
      names = await list({
        location: await locationOf(context, loaded, context.options.repository),
        cluster: clusterName(context, loaded.configuration),
        signal,
      });
    }
  } catch (error) {
    // Nothing to offer is the answer then; the command itself will say what is wrong.
    if (!isSpillwayError(error) && !signal.aborted) throw error;
  }
  context.output.result(names, () => names.join('\n'));
  return 0;
};
