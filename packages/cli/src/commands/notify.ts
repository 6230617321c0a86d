// `spillway notify test`: sends a test notification by every channel, or by the one that is named, whatever hour it is. Exit
// code 1 where one did not take it.

import { hostname } from 'node:os';
import { exitCodes, isSpillwayError, type NotifyTestDocument, SpillwayError } from '@spillway/contract';
import { channelsOf } from '../channels.ts';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import { loadFor, openConfigured } from '../session.ts';

export const testNotifications: Command<object> = async (context, _options, named) => {
  const loaded = await loadFor(context);
  const all = await channelsOf(context, loaded);
  const wanted = all.filter(({ name }) => named === undefined || name === named);
  if (wanted.length === 0) {
    throw new SpillwayError(
      'SPW_USAGE',
      named === undefined ? 'no channel is configured' : `no channel is called ${named}`,
      {
        why: `notifications.channels has ${all.map(({ name }) => name).join(', ') || 'none'}`,
        hint: 'docs/notifications.md says how one is set up',
      },
    );
  }
  const { deliver, wait } = await import('@spillway/daemon');
  const [cluster = 'none'] = Object.keys(loaded.configuration.clusters);
  const at = Date.now();
  const test = {
    key: `Test ${cluster}`,
    alert: 'Test',
    cluster,
    severity: 'warning' as const,
    part: 'jobs' as const,
    summary: 'This is a test of the notifications. Nothing is wrong.',
    since: at,
    again: false,
  };
  const evidenceHead = await headOf(context, loaded, cluster);
  const channels = await Promise.all(
    wanted.map(async (channel) => {
      const told = { channel: channel.name, kind: channel.settings.kind };
      // What PagerDuty opens for a test it closes again.
      const mended = channel.settings.kind === 'pagerduty' ? [test] : [];
      const message = { cluster, wrong: [test], mended };
      try {
        const letter = { message, at, host: hostname(), evidenceHead, evidenceOf: cluster, runbooks: undefined };
        await deliver(channel, letter, wait, context.signal);
        return { ...told, taken: true, problem: null };
      } catch (error) {
        if (!isSpillwayError(error, 'SPW_NOTIFY_FAILED')) throw error;
        return { ...told, taken: false, problem: error.why ?? error.message };
      }
    }),
  );
  const document: NotifyTestDocument = { channels };
  context.output.result(document, (colours) =>
    channels
      .map(({ channel, kind, taken, problem }) =>
        taken
          ? `${colours.green('OK')}   ${channel} (${kind}) took it`
          : `${colours.red('FAIL')} ${channel} (${kind}): ${problem ?? ''}`,
      )
      .join('\n'),
  );
  return channels.every(({ taken }) => taken) ? exitCodes.ok : exitCodes.failed;
};

/** A test goes out also where the repository is away. */
async function headOf(context: Context, loaded: LoadedConfiguration, cluster: string): Promise<string | null> {
  const { knownHeadNow } = await import('@spillway/engine');
  try {
    return await knownHeadNow(await openConfigured(context, loaded), cluster, context.signal);
  } catch (error) {
    if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
    context.output.warn(`the head of the evidence cannot be read: ${error.message}`);
    return null;
  }
}
