// `spillway wal receive`, `wal push`, `wal fetch` and `wal check`.

import { basename, resolve } from 'node:path';
import {
  exitCodes,
  isSpillwayError,
  type ReceiveSummary,
  SpillwayError,
  type WalFetchDocument,
  type WalPushDocument,
  type WalReport,
} from '@spillway/contract';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { furtherPlaces } from '../places.ts';
import { locationOf } from '../location.ts';
import { noteAsked } from './pushed-ahead.ts';
import { BEHIND, endAtLast, startBehind } from './push-behind.ts';
import { clusterName, clusterSource, loadFor, openConfigured, openForReading } from '../session.ts';
import { canaryFileOf } from '../state-directory.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatCount, formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

/** Runs until a signal stops it; what was received is flushed by then, so that is success. */
export const receive: Command<{ readonly newSystem?: boolean; readonly wait?: boolean }> = async (context, options) => {
  const loaded = await loadFor(context);
  const name = clusterName(context, loaded.configuration);
  const { settings, ...cluster } = await clusterSource(context, loaded, name);
  const repository = await openConfigured(context, loaded);
  const { giveBackMemory } = await import('@spillway/daemon/thrift');
  // A failure ends the process with it.
  void giveBackMemory(context.signal);
  const summary = await engine.receiveWal({
    repository,
    cluster,
    slot: settings.wal.slot,
    flushIntervalMs: settings.wal.flush_interval,
    walCompressionLevel: settings.wal.compression_level,
    synchronous: settings.wal.synchronous === true,
    wait: options.wait ?? settings.wal.wait ?? false,
    newSystem: options.newSystem === true,
    signal: context.signal,
    report: context.output.report,
    places: (await furtherPlaces(context, loaded, name)).map(({ policy, ...place }) => ({
      ...place,
      retention: policy,
    })),
    copyPolicy: loaded.configuration.copy_policy,
    canary: settings.canary && {
      intervalMs: settings.canary.interval,
      stateFile: canaryFileOf(context, loaded, name, repository.id),
    },
    otherAddresses: (settings.wal.other_hosts ?? []).map((address) => addressOf(address, cluster.connection)),
    ...(settings.wal.application_name === undefined ? {} : { applicationName: settings.wal.application_name }),
  });
  context.output.result(summary, () => renderReceived(name, summary));
  return 0;
};

/** `host`, `host:port`, or the folder of a socket; whatever it does not say is as for the first address. */
export function addressOf(address: string, first: engine.ConnectionSettings): engine.ConnectionSettings {
  const match = /^([^:/]+):(\d{1,5})$/.exec(address);
  return match?.[1] === undefined ? { ...first, host: address } : { ...first, host: match[1], port: Number(match[2]) };
}

interface PushWords {
  readonly ahead?: number;
  readonly behind?: boolean;
  readonly newSystem?: boolean;
}

/** Success means durable. A file that was pushed ahead needs neither a key nor a look inside. */
export const push: Command<PushWords> = async (context, options, given = '') => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const path = resolve(context.directory, given);
  const settings = loaded.configuration.clusters[cluster]?.wal;
  const spool = settings?.spool_directory;
  const file = {
    cluster,
    path,
    signal: context.signal,
    ...(spool === undefined
      ? {}
      : { spoolDirectory: loaded.resolvePath(['clusters', cluster, 'wal', 'spool_directory'], spool) }),
  };
  const places = await furtherPlaces(context, loaded, cluster);
  const location = await locationOf(context, loaded, context.options.repository);
  const nothing = { ahead: 0, waiting_files: 0, waiting_bytes: 0, waiting_seconds: 0 };
  const most = options.ahead ?? settings?.push_ahead ?? engine.AHEAD_DEFAULT;
  const pushing = async (ahead: number): Promise<engine.PushOptions> => {
    const root = engine.folderOf(location);
    const { fileStat: configuration, file: configurationFile } = loaded;
    const isPlain = places.length === 0 && spool === undefined && root !== undefined;
    const onStored =
      isPlain && most > 0 && configurationFile !== null && configuration !== undefined
        ? await noteAsked({
            words: process.argv.slice(2).filter((word) => word !== BEHIND),
            front: context.environment['SPILLWAY_PUSH_ASKED'],
            path,
            cluster,
            file: configurationFile,
            configuration,
            root,
          })
        : undefined;
    return {
      ...file,
      repository: await openConfigured(context, loaded),
      // PostgreSQL calls it in the data directory.
      dataDirectory: context.directory,
      newSystem: options.newSystem === true,
      report: context.output.report,
      ahead,
      ...(settings === undefined ? {} : { compressionLevel: settings.compression_level }),
      ...(onStored === undefined ? {} : { onStored }),
    };
  };
  let document: WalPushDocument;
  if (options.behind === true) {
    endAtLast();
    const { pushed } = await engine.pushBehind(await pushing(most));
    document = { file: basename(path), outcome: 'left', ...nothing, ahead: pushed };
  } else if (await engine.wasPushedToAll({ ...file, location }, places)) {
    document = { file: basename(path), outcome: 'pushed-ahead', ...nothing };
  } else {
    const goesOn =
      most > 0 &&
      places.length === 0 &&
      spool === undefined &&
      settings?.push_background !== false &&
      (await engine.isBehindWorthIt(file)) &&
      (await startBehind(context, path));
    document = await engine.pushToPlaces({
      ...(await pushing(goesOn ? 0 : most)),
      places,
      copyPolicy: loaded.configuration.copy_policy,
    });
  }
  context.output.result(document, () => '');
  return 0;
};

/** Success means the whole file is at the destination. How failures leave the process is told in `run.ts`. */
export const fetch: Command<{ readonly prefetch?: number }> = async (context, options, file = '', destination = '') => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { repository, skipped } = await openForReading(context, loaded);
  const document: WalFetchDocument = { file, destination: resolve(context.directory, destination) };
  try {
    await engine.fetchWal({
      repository,
      cluster,
      fileName: file,
      destination: document.destination,
      // PostgreSQL calls it in the data directory.
      dataDirectory: context.directory,
      signal: context.signal,
      ...(options.prefetch === undefined ? {} : { prefetch: options.prefetch }),
    });
  } catch (error) {
    if (skipped.length === 0 || !isSpillwayError(error, 'SPW_WAL_ABSENT')) throw error;
    // It may be at the place that does not answer: PostgreSQL must not take that for the end of WAL.
    throw new SpillwayError('SPW_STORAGE_UNREACHABLE', `nobody knows whether there is a WAL file ${file}`, {
      why: `${repository.storage.description} has none, and the place ${skipped.join(', ')} cannot be read`,
      hint: 'to recover to the end of what is here: spillway --repository <place> restore',
      cause: error,
    });
  }
  engine.reportDetours(engine.takeDetours(repository), new Set(), context.output.report);
  context.output.result(document, () => '');
  return 0;
};

/** A gap is a warning: what lies before it and after the next backup can still be restored. Damage is damage. */
export const check: Command<{ readonly data?: boolean }> = async (context, options) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const report = await engine.checkWal({
    repository,
    cluster,
    data: options.data === true,
    signal: context.signal,
    report: context.output.report,
  });
  context.output.result(report, (colours) => renderWal(cluster, report, colours));
  if (report.data !== null && report.data.damaged.length > 0) return exitCodes.damaged;
  return report.gaps.length > 0 || report.backups_without_wal.length > 0 ? exitCodes.warnings : exitCodes.ok;
};

const renderReceived = (
  name: string,
  { timeline, durable_lsn: durable, bytes, stored_bytes: stored }: ReceiveSummary,
): string =>
  `WAL of ${name} is durable to ${durable} on timeline ${timeline}: received ${formatBytes(bytes)}, stored ${formatBytes(stored)}.`;

export function renderWal(
  cluster: string,
  { timelines, gaps, backups_without_wal: lost, data }: WalReport,
  colours: Colours,
): string {
  if (timelines.length === 0) return `No WAL of ${cluster} yet.\n\nNext: spillway wal receive`;
  const table = renderTable(
    [
      { title: 'TIMELINE', align: 'right' },
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'SEGMENTS', align: 'right' },
      { title: 'PIECES', align: 'right' },
      { title: 'LAST' },
    ],
    timelines.map((timeline) => [
      String(timeline.timeline),
      timeline.first_lsn,
      timeline.last_lsn,
      String(timeline.segments),
      String(timeline.pieces),
      timeline.last_at === null ? '-' : formatTime(new Date(timeline.last_at)),
    ]),
  );
  const findings = [
    ...gaps.map(
      (gap) =>
        `${colours.red('GAP')} on timeline ${gap.timeline}: ${gap.from_lsn} to ${gap.to_lsn}${gap.at === null ? '' : `, seen ${formatTime(new Date(gap.at))}`}\n  ${gap.cause}: ${gap.details}`,
    ),
    ...(data?.damaged ?? []).map(({ object, why }) => `${colours.red('DAMAGED')} ${object}: ${why}`),
    ...(lost.length > 0
      ? [`${colours.red('NOT RESTORABLE')}: ${formatCount(lost.length, 'backup')} lack WAL: ${lost.join(', ')}`]
      : []),
  ];
  const read =
    data === null
      ? ''
      : `\n\nRead ${formatBytes(data.bytes)} of WAL in ${formatCount(data.objects, 'object')}: ${formatCount(data.records, 'record')}.`;
  return findings.length === 0
    ? `${table}${read}\n\nNo gaps${data === null ? '' : ', and no damage'}.`
    : `${table}${read}\n\n${findings.join('\n')}\n\nNext: spillway backup, then restores are possible from it on`;
}
