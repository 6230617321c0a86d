// The configuration as it is now, against the one that a running service has: what is wrong with it, or what a start would
// change. The service itself goes on with what it has read.

import { type ConfigurationNowDocument, isSpillwayError } from '@spillway/contract';
import { settingsShown } from './commands/config.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { loadFor } from './session.ts';

export async function recheck(context: Context, running: LoadedConfiguration): Promise<ConfigurationNowDocument> {
  try {
    return { problems: [], changed: differences(running, await loadFor(context)) };
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_CONFIG_INVALID', 'SPW_CONFIG_MISSING')) throw error;
    return { problems: (error.why ?? error.message).split('\n'), changed: [] };
  }
}

function differences(running: LoadedConfiguration, now: LoadedConfiguration): ConfigurationNowDocument['changed'] {
  const [before, after] = [running, now].map(
    (each) => new Map(settingsShown(each).settings.map(({ path, value }) => [path, value])),
  );
  return [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])]
    .map((path) => ({ path, running: before?.get(path) ?? null, file: after?.get(path) ?? null }))
    .filter((each) => each.running !== each.file);
}
