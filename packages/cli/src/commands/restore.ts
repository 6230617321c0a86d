// `spillway restore`: the plan first, then the files, then, with --start, the recovery, each measured.
// Nothing is asked where the folder is empty, so nothing can be lost. With --delta files are overwritten: then the name of
// the cluster must be typed, or said with --yes --confirm. What was lost is told by the canaries: who knows what was
// acknowledged is asked before anything is restored, as afterwards the restored server may stand where the source did.

import { delimiter, resolve } from 'node:path';
import { SpillwayError, type RecoverySummary, type RestoreDocument } from '@spillway/contract';
import { gatherWitnesses, type Loss, measureLoss, rpoOf } from '@spillway/control';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import * as engine from '@spillway/engine';
import { buildRestoreCommand } from '../restore-command.ts';
import { restoreTable, type TableOptions } from './restore-table.ts';
import { clusterName, clusterSource, defaultWorkers, loadFor, openForReading } from '../session.ts';
import { canaryFileOf } from '../state-directory.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import { parseTarget, type TargetOptions } from '../target.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { renderPlan, renderRestore } from '../ui/restore.ts';

export interface RestoreOptions extends TargetOptions, StatsOptions, TableOptions {
  readonly into?: string;
  readonly timeline?: number;
  readonly backup?: string;
  readonly delta?: boolean;
  readonly forceOtherSystem?: boolean;
  readonly yes?: boolean;
  readonly confirm?: string;
  readonly tablespace?: readonly string[];
  readonly tablespaceAllInto?: string;
  readonly walDirectory?: string;
  readonly database?: readonly string[];
  readonly targetAction?: 'promote' | 'pause' | 'shutdown';
  readonly standby?: boolean;
  readonly primary?: string;
  readonly primarySlot?: string;
  readonly isolated?: boolean;
  readonly workers?: number;
  readonly dryRun?: boolean;
  readonly start?: boolean;
  readonly port?: number;
  readonly log?: string;
}

export const restore: Command<RestoreOptions> = async (context, options) => {
  refuseMixed(options);
  if (options.table !== undefined) return restoreTable(context, options);
  const began = performance.now();
  const { output, signal } = context;
  const target = parseTarget(options);
  refuseStray(options);
  if (options.port !== undefined) await engine.refuseBusyPort(options.port);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  // To see when the restored server is up, it is asked as the cluster is: with the user and password of its configuration.
  const source = options.start === true ? await clusterSource(context, loaded, cluster) : undefined;
  const { repository, place } = await openForReading(context, loaded);
  const settings = Object.hasOwn(loaded.configuration.clusters, cluster)
    ? loaded.configuration.clusters[cluster]
    : undefined;
  const workers = options.workers ?? settings?.backup.workers ?? defaultWorkers();
  const wishes = { repository, cluster, target, ...planWishes(context.directory, options), signal };
  const shown = await engine.planRestore({
    ...wishes,
    // Only then: a restore compares when it begins, and what was compared before could have changed until then.
    ...(options.dryRun === true ? { compare: { workers, report: output.report } } : {}),
  });
  const { plan } = shown;
  const start = options.start === true ? { port: options.port, isolated: options.isolated === true } : undefined;
  if (options.dryRun === true) {
    output.result(plan, () => `${renderPlan(plan, start)}\n\nNothing was done (--dry-run).`);
    return 0;
  }
  output.say(`${renderPlan(plan, start)}\n`);
  if (plan.mode === 'delta') {
    await confirmLoss({
      impact: `The files in ${plan.directory} would be overwritten with those of backup ${plan.backup.id}.`,
      name: cluster,
      yes: options.yes === true,
      confirm: options.confirm,
      mayAsk: context.options.input,
      input: process.stdin,
      output: process.stderr,
      signal,
    });
  }
  warnOfEnvironment(context, loaded);

  const witnesses =
    source &&
    (await gatherWitnesses({
      repository,
      cluster,
      source: source.connection,
      stateFile: canaryFileOf(context, loaded, cluster, repository.id),
      signal,
    }));

  // Nobody may expire the backup or its WAL meanwhile, on whatever host.
  await using held = await engine.holdPlan(shown, { ...wishes, report: output.report });
  const { planned } = held;
  await using _ = await engine.holdElsewhere({
    repository,
    cluster,
    backupId: planned.plan.backup.id,
    signal,
    report: output.report,
  });
  held.lost?.addEventListener('abort', () =>
    output.warn(
      `Backup ${plan.backup.id} is not marked as in use any more: let no spillway expire run until this ends.`,
    ),
  );
  const restored = await engine.restore({
    repository,
    planned,
    workers,
    restoreCommand: buildRestoreCommand({
      node: process.execPath,
      program: context.program,
      configurationFile: loaded.file,
      cluster,
      repository: place,
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
          ...(options.isolated === undefined ? {} : { isolated: options.isolated }),
          ...(options.log === undefined ? {} : { logFile: resolve(context.directory, options.log) }),
        });
  engine.reportDetours(
    engine.takeDetours(repository),
    new Set(restored.detours.map(({ object }) => object)),
    output.report,
  );
  // Only where all of the backup was fetched: one laid over a cluster, or of some databases, leaves chunks unread.
  const whole = plan.mode !== 'delta' && plan.databases === null;
  const loss =
    recovery === null || source === undefined || witnesses === undefined
      ? null
      : measureLoss({
          found: await foundCanary(context, planned, source.connection, recovery),
          witnesses,
          way: engine.wayOf(planned),
          toTheEnd: plan.target.kind === 'latest',
        });
  if (recovery !== null && loss !== null && whole) {
    await recordRestore(context, repository, { planned, restored, recovery, loss, began });
  }
  const document: RestoreDocument = {
    plan: planned.plan,
    restore: restored,
    recovery,
    loss,
    total_seconds: Math.round(performance.now() - began) / 1000,
  };
  const stats = statsOf(options, loaded, repository);
  output.result({ ...document, ...stats }, () => renderRestore(document) + renderStats(stats));
  return 0;
};

/** The newest canary in the restored cluster; undefined where there is none, or the server cannot be asked. */
async function foundCanary(
  { signal, output }: Context,
  { selection, plan }: engine.PlannedRestore,
  connection: engine.ConnectionSettings,
  recovery: RecoverySummary,
): Promise<engine.CanaryRow | undefined> {
  // One that was left empty cannot be connected to, and holds no canary.
  if (recovery.pid === null || selection.leftEmpty.includes(connection.database ?? 'postgres')) return undefined;
  const { port } = recovery;
  const ask = (host: string): Promise<engine.CanaryRow | undefined> =>
    engine.readCanaryAt({ ...connection, host, port, ssl: 'disable' }, signal);
  try {
    return await ask('127.0.0.1').catch((error: unknown) => {
      if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
      return ask(plan.directory);
    });
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
    output.warn(`the restored server was not asked for its newest canary: ${error.message}`);
    return undefined;
  }
}

interface Done {
  readonly planned: engine.PlannedRestore;
  readonly restored: engine.RestoreSummary;
  readonly recovery: RecoverySummary;
  readonly loss: Loss;
  readonly began: number;
}

/** That the backup came up is proof of it. The restore is done by now: without a record it is no less so. */
async function recordRestore(
  { output, signal }: Context,
  repository: engine.Repository,
  { planned: { plan }, restored, recovery, loss, began }: Done,
): Promise<void> {
  const finished = new Date();
  const seconds = Math.round(performance.now() - began) / 1000;
  const [from, to] = [plan.wal_from_lsn, recovery.recovered_to_lsn].map((at) => engine.parseLsn(at ?? ''));
  const walBytes = from === undefined || to === undefined || to < from ? plan.wal_bytes : Number(to - from);
  try {
    await engine.writeEvidence(
      repository,
      {
        kind: 'restore',
        cluster: plan.cluster,
        backup: plan.backup.id,
        level: 'restore',
        result: 'passed',
        started_at: new Date(finished.getTime() - (performance.now() - began)).toISOString(),
        finished_at: finished.toISOString(),
        details: {
          target: plan.target,
          recovered_to_lsn: recovery.recovered_to_lsn,
          recovered_to_time: recovery.recovered_to_time,
          timeline: recovery.timeline,
          phases: [
            { name: 'lay', seconds: restored.duration_seconds, bytes: restored.bytes },
            { name: 'recover', seconds: recovery.recovery_seconds, bytes: walBytes },
          ],
          rto_seconds: seconds,
          rpo_seconds: rpoOf(loss),
          canary:
            loss.newest_found === null && loss.newest_acknowledged === null
              ? null
              : { newest_found: loss.newest_found, newest_acknowledged: loss.newest_acknowledged },
          loss,
        },
      },
      signal,
    );
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    output.warn(`no evidence of the restore was left: ${error.message}`);
  }
}

/** A table is brought back by a scratch cluster, which nobody lays, starts or follows by hand. */
function refuseMixed(options: RestoreOptions): void {
  const { table, into } = options;
  const cluster: readonly (keyof RestoreOptions)[] = [
    'into',
    'delta',
    'forceOtherSystem',
    'tablespace',
    'tablespaceAllInto',
    'walDirectory',
    'targetAction',
    'standby',
    'primary',
    'primarySlot',
    'start',
    'isolated',
    'port',
    'log',
    'stats',
  ];
  const tables: readonly (keyof RestoreOptions)[] = [
    'beside',
    'swap',
    'file',
    'as',
    'withoutIndexes',
    'unlogged',
    'lock',
  ];
  const stray = (table === undefined ? tables : cluster).find((name) => options[name] !== undefined);
  if (stray !== undefined) {
    const flag = `--${stray.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new SpillwayError(
      'SPW_USAGE',
      table === undefined ? `${flag} needs --table` : `${flag} does not go with --table`,
      {
        why: table === undefined ? 'it is about a table' : 'it is about a cluster that is restored into a folder',
      },
    );
  }
  if (table === undefined && into === undefined) {
    throw new SpillwayError('SPW_USAGE', 'restore needs --into, or --table', {
      why: 'it was not said where to',
      hint: 'name an empty folder with --into, or a table of the live database with --table',
    });
  }
}

function refuseStray(options: RestoreOptions): void {
  const needs: readonly (readonly [given: boolean, flags: string, needed: string, why: string])[] = [
    [
      options.start !== true &&
        (options.port !== undefined || options.log !== undefined || options.isolated !== undefined),
      '--port, --log and --isolated need',
      '--start',
      'they are about the server that --start starts',
    ],
    [
      options.standby !== true && (options.primary !== undefined || options.primarySlot !== undefined),
      '--primary and --primary-slot need',
      '--standby',
      'only a standby follows a primary',
    ],
    [
      options.delta !== true && options.forceOtherSystem === true,
      '--force-other-system needs',
      '--delta',
      'only then anything is overwritten',
    ],
  ];
  for (const [stray, flags, needed, why] of needs) {
    if (stray) throw new SpillwayError('SPW_USAGE', `${flags} ${needed}`, { why });
  }
}

type PlanWishes = Omit<engine.PlanOptions, 'repository' | 'cluster' | 'target' | 'signal'>;

function planWishes(directory: string, options: RestoreOptions): PlanWishes {
  return {
    targetDirectory: resolve(directory, options.into ?? ''),
    ...(options.timeline === undefined ? {} : { timeline: options.timeline }),
    ...(options.backup === undefined ? {} : { backupId: options.backup }),
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
    ...(options.delta === undefined ? {} : { delta: options.delta }),
    ...(options.forceOtherSystem === undefined ? {} : { otherSystem: options.forceOtherSystem }),
    ...(options.tablespace === undefined
      ? {}
      : { tablespaces: options.tablespace.map((word) => parseTablespace(word, directory)) }),
    ...(options.tablespaceAllInto === undefined
      ? {}
      : { tablespacesInto: resolve(directory, options.tablespaceAllInto) }),
    ...(options.walDirectory === undefined ? {} : { walDirectory: resolve(directory, options.walDirectory) }),
    ...(options.database === undefined ? {} : { databases: options.database }),
    ...(options.targetAction === undefined ? {} : { action: options.targetAction }),
    ...(options.start === undefined ? {} : { toStart: options.start }),
    ...(options.standby === true ? { standby: { primary: options.primary, slot: options.primarySlot } } : {}),
  };
}

/** `apart=/srv/fast`: at the first sign, as a name has none and a new path may. */
function parseTablespace(word: string, directory: string): { readonly which: string; readonly to: string } {
  const [, which, to] = /^([^=]+)=(.+)$/.exec(word) ?? [];
  if (which !== undefined && to !== undefined) return { which, to: resolve(directory, to) };
  throw new SpillwayError('SPW_USAGE', `--tablespace '${word}' does not say what goes where`, {
    why: 'it has another form',
    hint: "write it as '<oid, name or old path>=<new folder>', for example --tablespace apart=/srv/fast",
  });
}

/** The restored server fetches WAL by itself, in its own environment, which may lack what this process has. */
function warnOfEnvironment({ output, environment }: Context, { configuration, file }: LoadedConfiguration): void {
  const source = configuration.repository.passphrase ?? configuration.repository.recovery_key;
  if (source?.kind === 'env') {
    output.warn(`the restored server needs the variable ${source.variable} in its environment to fetch WAL`);
  }
  const s3 = configuration.repository.s3;
  for (const secret of [s3?.access_key_id, s3?.secret_access_key, s3?.session_token]) {
    if (secret?.kind !== 'env') continue;
    output.warn(`the restored server needs the variable ${secret.variable} in its environment to fetch WAL`);
  }
  if (
    s3 !== undefined &&
    s3.access_key_id === undefined &&
    Object.keys(environment).some((key) => key.startsWith('AWS_'))
  ) {
    output.warn('the restored server needs the AWS_ variables in its environment to fetch WAL, or a role of its own');
  }
  if (file === null) output.warn('the restored server needs the SPILLWAY_ variables in its environment to fetch WAL');
}
