// `spillway status`: can I recover, to when, how fast, and when was that last shown. Exit code 14 where an objective is missed.

import { exitCodes, SpillwayError, type StatusDocument } from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/schemas';
import { type PlaceToAsk, readStatus } from '@spillway/control';
import type { Repository } from '@spillway/engine';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import { clusterName, clusterSource, loadFor, openConfigured } from '../session.ts';
import { canaryFileOf } from '../state-directory.ts';
import { nagiosStatus, renderStatus } from '../ui/status.ts';

export interface StatusOptions {
  readonly format: 'text' | 'nagios';
}

export const status: Command<StatusOptions> = async (context, { format }) => {
  if (format !== 'nagios') {
    const document = await look(context);
    context.output.result(document, (colours) => renderStatus(document, new Date(document.at), colours));
    return document.verdict === 'missed' ? exitCodes.objectiveMissed : exitCodes.ok;
  }
  try {
    const document = await look(context);
    context.output.result(document, () => nagiosStatus(document));
    return { met: 0, 'at-risk': 1, missed: 2 }[document.verdict];
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
    // A plugin says on stdout what it cannot tell.
    const told = { code: error.code, message: error.message, why: error.why ?? null };
    context.output.result(
      told,
      () => `SPILLWAY UNKNOWN - ${`${error.message}: ${error.why ?? ''}`.replaceAll(/[|\n]/g, ' ')}`,
    );
    return 3;
  }
};

async function look(context: Context): Promise<StatusDocument> {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  return statusOf(context, loaded, cluster, (place) => openConfigured(context, loaded, place), context.signal);
}

/** `open` opens a place by its name. */
export async function statusOf(
  context: Context,
  loaded: LoadedConfiguration,
  cluster: string,
  open: (place: string) => Promise<Repository>,
  signal: AbortSignal,
): Promise<StatusDocument> {
  const { configuration } = loaded;
  const { settings, connection } = await clusterSource(context, loaded, cluster);
  const named = context.options.repository;
  const first: PlaceToAsk = {
    name: named ?? FIRST_PLACE,
    required: true,
    open: () => open(named ?? FIRST_PLACE),
  };
  // One that is mounted for a copy alone is behind as it should be.
  const copies = Object.entries(named === undefined ? configuration.copies : {}).filter(
    ([, copy]) => copy.mounted === 'always',
  );
  return readStatus({
    cluster,
    places: [
      first,
      ...copies.map(([name, { policy }]) => ({
        name,
        required: policy === 'required',
        open: () => open(name),
      })),
    ],
    source: { connection, slot: settings.wal.slot },
    stateFile: (repositoryId) => canaryFileOf(context, loaded, cluster, repositoryId),
    objectives: { rpoSeconds: settings.objectives.rpo / 1000, rtoSeconds: settings.objectives.rto / 1000 },
    copyPolicy: configuration.copy_policy,
    canaryIntervalSeconds: settings.canary === undefined ? null : settings.canary.interval / 1000,
    now: () => new Date(),
    signal,
  });
}
