// `restore --start`: starts the restored cluster, feeds it WAL, and measures until it can be written to.
//
//   1  find the server's programs of the backup's major version, a port, and a configuration where the backup has none
//   2  lay the first WAL ready (`feed.ts`), start the server detached: it must outlive this process
//   3  watch it until it takes writes, pauses, shuts down or follows its primary, as it was told (`watch.ts`)
//   4  take the settings of the recovery out of postgresql.auto.conf, and the folder with the WAL away; but where it is not
//      over, they and the script stay: a paused server goes on with them
//
// A server that ends before is a failed recovery, told with the last lines of its log; so is a target not reached.

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '@spillway/contract';
import { findPrograms, startServer } from '../../postgres/server.ts';
import type { ConnectionSettings } from '../../postgres/settings.ts';
import { makeUpConfiguration } from './configuration.ts';
import { startFeeder } from './feed.ts';
import type { PlannedRestore } from './planned.ts';
import { choosePort } from './port.ts';
import { ISOLATED_SETTINGS } from './recovery.ts';
import { withoutRecoverySettings } from './settings.ts';
import { type Recovered, RecoveryWatch } from './watch.ts';

export interface StartOptions {
  readonly planned: PlannedRestore;
  /** User, password and database; host and port are those of the restored server. */
  readonly connection: ConnectionSettings;
  readonly binDirectory?: string;
  readonly searchPath?: readonly string[];
  /** By default the port that the cluster's own configuration names, or a free one where that is taken. */
  readonly port?: number;
  readonly socketDirectory?: string;
  /** Reachable from this machine alone, and with everything off that would reach out: a copy to be looked at. */
  readonly isolated?: boolean;
  /** Settings on the command line of the server, over all others. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How much it gives way to others: see nice(1). */
  readonly niceness?: number;
  /** By default `spillway_restore.log` in the data directory. */
  readonly logFile?: string;
  readonly signal: AbortSignal;
  readonly report: Report;
}

export interface RecoverySummary extends Recovered {
  readonly started_at: string;
  readonly finished_at: string;
  /** From starting the server to the first successful write. */
  readonly recovery_seconds: number;
  readonly host: string;
  readonly port: number;
  /** Null where it has shut down. */
  readonly pid: number | null;
  readonly log_file: string;
}

export async function startRestored(options: StartOptions): Promise<RecoverySummary> {
  const { planned, signal } = options;
  const { directory, backup } = planned.plan;
  const programs = await findPrograms({
    major: Math.trunc(backup.postgres_version / 10_000),
    ...(options.binDirectory === undefined ? {} : { binDirectory: options.binDirectory }),
    ...(options.searchPath === undefined ? {} : { searchPath: options.searchPath }),
    signal,
  });
  const { uid, gid } = await stat(directory);
  const owner = process.getuid?.() === 0 ? { uid, gid } : undefined;
  await makeUpConfiguration(directory, planned.manifest.head.standby_parameters, owner, options.report);
  const port = options.port ?? (await choosePort(directory, options.report));
  const logFile = options.logFile ?? join(directory, 'spillway_restore.log');
  const socketDirectory = options.socketDirectory ?? directory;
  const began = performance.now();
  const startedAt = new Date();
  const { recovery } = planned;
  // A standby asks for WAL for as long as it lives: nobody can list what there will be.
  const feeder = recovery.kind === 'standby' ? undefined : startFeeder(planned, owner, signal);
  let goesOn = recovery.kind === 'standby';
  try {
    await feeder?.ready;
    const server = await startServer({
      binDirectory: programs.binDirectory,
      dataDirectory: directory,
      port,
      socketDirectory,
      logFile,
      settings: { ...(options.isolated === true ? ISOLATED_SETTINGS : {}), ...options.settings },
      ...(options.niceness === undefined ? {} : { niceness: options.niceness }),
      detached: true,
      signal,
    });
    const watch = new RecoveryWatch(options, server, { host: socketDirectory, port, logFile }, () => feeder?.failure());
    const recovered = await watch.untilReached().catch(async (error: unknown) => {
      // Left to itself it would go on recovering with nobody to take the settings out: stop what we started.
      await server.stop('immediate').catch(() => undefined);
      throw error;
    });
    goesOn = recovered.state !== 'running';
    if (!goesOn) {
      const autoConf = join(directory, 'postgresql.auto.conf');
      await writeFile(autoConf, withoutRecoverySettings(await readFile(autoConf, 'utf8')), { flush: true });
    }
    return {
      started_at: startedAt.toISOString(),
      finished_at: new Date().toISOString(),
      recovery_seconds: (performance.now() - began) / 1000,
      ...recovered,
      host: options.connection.host,
      port,
      pid: recovered.state === 'shut down' ? null : server.pid,
      log_file: logFile,
    };
  } finally {
    await feeder?.stop(goesOn);
  }
}
