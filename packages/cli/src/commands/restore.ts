// `spillway restore`: the plan first, then the files, then, with --start, the recovery, each measured.
// Nothing is asked: the folder must be empty, so nothing can be lost.

import { fileURLToPath } from 'node:url';
import { delimiter, resolve } from 'node:path';
import { SpillwayError, type RestoreDocument, type RestorePlan } from '@spillway/contract';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import * as engine from '@spillway/engine';
import { buildRestoreCommand } from '../restore-command.ts';
import { clusterName, clusterSource, defaultWorkers, loadFor, openConfigured } from '../session.ts';
import { parseTarget, type TargetOptions } from '../target.ts';
import { formatBytes, formatCount, formatDuration, formatRate, formatTime, shortId } from '../ui/format.ts';
import { renderPairs } from '../ui/table.ts';

export interface RestoreOptions extends TargetOptions {
  readonly into: string;
  readonly timeline?: number;
  readonly backup?: string;
  readonly workers?: number;
  readonly dryRun?: boolean;
  readonly start?: boolean;
  readonly port?: number;
  readonly log?: string;
}

export const restore: Command<RestoreOptions> = async (context, options) => {
  const began = performance.now();
  const { output, signal } = context;
  const target = parseTarget(options);
  if (options.start !== true && (options.port !== undefined || options.log !== undefined)) {
    throw new SpillwayError('SPW_USAGE', '--port and --log need --start', {
      why: 'they are about the server that --start starts',
    });
  }
  if (options.port !== undefined) await engine.refuseBusyPort(options.port);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  // To see when the restored server is up, it is asked as the cluster is: with the user and password of its configuration.
  const source = options.start === true ? await clusterSource(context, loaded, cluster) : undefined;
  const repository = await openConfigured(context, loaded);
  const planned = await engine.planRestore({
    repository,
    cluster,
    target,
    targetDirectory: resolve(context.directory, options.into),
    signal,
    ...(options.timeline === undefined ? {} : { timeline: options.timeline }),
    ...(options.backup === undefined ? {} : { backupId: options.backup }),
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
  });
  const { plan } = planned;
  if (options.dryRun === true) {
    output.result(plan, () => `${renderPlan(plan)}\n\nNothing was done (--dry-run).`);
    return 0;
  }
  output.say(`${renderPlan(plan)}\n`);
  warnOfEnvironment(context, loaded);

  const settings = Object.hasOwn(loaded.configuration.clusters, cluster)
    ? loaded.configuration.clusters[cluster]
    : undefined;
  const restored = await engine.restore({
    repository,
    planned,
    workers: options.workers ?? settings?.backup.workers ?? defaultWorkers(),
    restoreCommand: buildRestoreCommand({
      node: process.execPath,
      main: fileURLToPath(new URL('../main.ts', import.meta.url)),
      configurationFile: loaded.file,
      cluster,
    }),
    signal,
    report: output.report,
  });
  const recovery =
    source === undefined
      ? null
      : await engine.startRestored({
          planned,
          connection: source.connection,
          searchPath: (context.environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
          signal,
          report: output.report,
          ...(source.settings.bin_directory === undefined
            ? {}
            : {
                binDirectory: loaded.resolvePath(['clusters', cluster, 'bin_directory'], source.settings.bin_directory),
              }),
          ...(options.port === undefined ? {} : { port: options.port }),
          ...(options.log === undefined ? {} : { logFile: resolve(context.directory, options.log) }),
        });
  const document: RestoreDocument = {
    plan,
    restore: restored,
    recovery,
    total_seconds: Math.round(performance.now() - began) / 1000,
  };
  output.result(document, () => renderRestore(document));
  return 0;
};

export function renderPlan(plan: RestorePlan): string {
  const { backup, target } = plan;
  const pairs: (readonly [string, string])[] = [
    ['restore', `${plan.cluster} into ${plan.directory}`],
    [
      'to',
      `${describeTarget(target)}${plan.recovers_to === null ? '' : ` (${plan.recovers_to})`}, timeline ${plan.timeline}`,
    ],
    ['from', `backup ${shortId(backup.id)} (${backup.type}) of ${formatTime(new Date(backup.finished_at))}`],
    [
      'files',
      `${formatCount(plan.files, 'file')}, ${formatBytes(plan.bytes)}; ${formatBytes(plan.fetch_bytes)} to fetch`,
    ],
    [
      'WAL',
      `${formatCount(plan.wal_segments, 'segment')}, ${formatBytes(plan.wal_bytes)}, ${plan.wal_from_lsn} to ${plan.wal_to_lsn}`,
    ],
    ['space', `needs ${formatBytes(plan.needed_bytes)}, free ${formatBytes(plan.free_bytes)}`],
    [
      'expected',
      plan.expected_seconds === null ? 'unknown: nothing measured yet' : formatDuration(plan.expected_seconds),
    ],
  ];
  return [renderPairs(pairs), ...plan.notes.map((note) => `note: ${note}`)].join('\n');
}

export function renderRestore({ plan, restore: done, recovery, total_seconds: total }: RestoreDocument): string {
  const files = `Restored ${formatBytes(done.bytes)} in ${formatCount(done.files, 'file')} into ${done.directory} in ${formatDuration(done.duration_seconds)}, ${formatRate(done.bytes_per_second)}.`;
  if (recovery === null) {
    return `${files}\n\nNext: start the server there; it recovers to ${describeTarget(plan.target)} by itself:\n  pg_ctl -D ${done.directory} start`;
  }
  const last = recovery.recovered_to_time === null ? '' : `, last commit ${recovery.recovered_to_time}`;
  return `${files}
Recovered to ${recovery.recovered_to_lsn ?? 'the end of the backup'} on timeline ${recovery.timeline}${last}, in ${formatDuration(recovery.recovery_seconds)}.
The server runs: pid ${recovery.pid}, host ${recovery.host}, port ${recovery.port}. In all ${formatDuration(total)}.

Next: psql -h ${recovery.host} -p ${recovery.port} postgres`;
}

function describeTarget({ kind, value }: RestorePlan['target']): string {
  const words: Readonly<Record<RestorePlan['target']['kind'], string>> = {
    latest: 'the latest moment in the repository',
    immediate: 'the end of the backup',
    time: 'the moment',
    lsn: 'the WAL position',
    xid: 'the transaction',
    name: 'the restore point',
  };
  return value === null ? words[kind] : `${words[kind]} ${value}`;
}

/** The restored server fetches WAL by itself, in its own environment, which may lack what this process has. */
function warnOfEnvironment({ output }: Context, { configuration, file }: LoadedConfiguration): void {
  const source = configuration.repository.passphrase ?? configuration.repository.recovery_key;
  if (source?.kind === 'env') {
    output.warn(`the restored server needs the variable ${source.variable} in its environment to fetch WAL`);
  }
  if (file === null) output.warn('the restored server needs the SPILLWAY_ variables in its environment to fetch WAL');
}
