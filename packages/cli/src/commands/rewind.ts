// `spillway rewind`: decides first, shows the plan, asks for the name of the cluster, and only then lets pg_rewind at it.
// The repository may be away: what is on the two servers can be enough.

import { readFile } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import { exitCodes, isSpillwayError, type RewindDocument, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { LoadedConfiguration } from '../configuration/load.ts';
import { parseConninfo } from '../conninfo.ts';
import type { Command, Context } from '../context.ts';
import { buildRestoreCommand } from '../restore-command.ts';
import { clusterName, clusterSource, loadFor, type OpenForReading, openForReading } from '../session.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { renderRewind, renderRewindPlan } from '../ui/rewind.ts';

export interface RewindOptions {
  readonly dataDirectory: string;
  readonly source?: string;
  readonly primary?: string;
  readonly primarySlot?: string;
  readonly keepInto?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly confirm?: string;
}

export const rewind: Command<RewindOptions> = async (context, options) => {
  const { output, signal, directory } = context;
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { connection: configured, settings } = await clusterSource(context, loaded, cluster);
  const source = await sourceOf(context, options.source, configured);
  const opened = await openIfThere(context, loaded);
  const planned = await planOrSaySource(options, {
    cluster,
    repository: opened?.repository,
    directory: resolve(directory, options.dataDirectory),
    source,
    searchPath: (context.environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    rehearse: options.dryRun === true,
    now: new Date(),
    signal,
    report: output.report,
    ...(options.primary === undefined ? {} : { primary: options.primary }),
    ...(options.primarySlot === undefined ? {} : { primarySlot: options.primarySlot }),
    ...(options.keepInto === undefined ? {} : { keepInto: resolve(directory, options.keepInto) }),
    ...(settings.bin_directory === undefined
      ? {}
      : { binDirectory: loaded.resolvePath(['clusters', cluster, 'bin_directory'], settings.bin_directory) }),
  });
  const { plan } = planned;
  const restoreCommand = buildRestoreCommand({
    node: process.execPath,
    program: context.program,
    configurationFile: loaded.file,
    cluster,
    repository: opened?.place,
  });
  if (plan.decision !== 'impossible') await warnOfFetch(context, restoreCommand, plan.directory);
  if (options.dryRun === true) {
    output.result(plan, () => `${renderRewindPlan(plan)}\n\nNothing was done (--dry-run).`);
    return plan.decision === 'impossible' ? exitCodes.refused : exitCodes.ok;
  }
  if (plan.decision === 'impossible') throw engine.impossibleRewind(planned);
  output.say(`${renderRewindPlan(plan)}\n`);
  if (plan.decision === 'rewind') {
    await confirmLoss({
      impact: `What the server in ${plan.directory} wrote after ${plan.fork?.lsn} would be undone there, and be left only in ${plan.kept?.folder}.`,
      name: cluster,
      yes: options.yes === true,
      confirm: options.confirm,
      mayAsk: context.options.input,
      input: process.stdin,
      output: process.stderr,
      signal,
    });
  }
  const done = await engine.rewind({
    planned,
    source,
    restoreCommand,
    signal,
    report: output.report,
  });
  const document: RewindDocument = { plan, rewind: done };
  output.result(document, () => renderRewind(document));
  return exitCodes.ok;
};

/** Where --source was forgotten the configured server is the very one that is down. */
async function planOrSaySource({ source }: RewindOptions, wishes: engine.RewindOptions): Promise<engine.PlannedRewind> {
  try {
    return await engine.planRewind(wishes);
  } catch (error) {
    if (source !== undefined || !isSpillwayError(error, 'SPW_POSTGRES_UNREACHABLE')) throw error;
    throw new SpillwayError(error.code, error.message, {
      cause: error,
      ...(error.why === undefined ? {} : { why: error.why }),
      hint: "name the server that took over: --source 'host=db2'",
    });
  }
}

async function warnOfFetch({ output, signal }: Context, restoreCommand: string, directory: string): Promise<void> {
  const said = await engine.probeRestoreCommand(restoreCommand, directory, signal);
  if (said === undefined) return;
  output.warn(
    `the standby will not start as long as the account that owns ${directory} cannot fetch WAL from the repository: let it read the configuration and its secrets, or take restore_command out of postgresql.auto.conf afterwards. It said: ${said.replaceAll(/\s*\n\s*/g, '; ')}`,
  );
}

async function sourceOf(
  { directory, signal }: Context,
  conninfo: string | undefined,
  configured: engine.ConnectionSettings,
): Promise<engine.ConnectionSettings> {
  if (conninfo === undefined) return configured;
  const { connection, certificateFile } = parseConninfo(conninfo, configured, directory);
  if (certificateFile === undefined) return connection;
  const sslRootCertificate = await readFile(certificateFile, { encoding: 'utf8', signal }).catch((cause: unknown) => {
    throw new SpillwayError('SPW_USAGE', `cannot read the certificate ${certificateFile}`, { cause });
  });
  return { ...connection, sslRootCertificate };
}

async function openIfThere(context: Context, loaded: LoadedConfiguration): Promise<OpenForReading | undefined> {
  try {
    return await openForReading(context, loaded);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE', 'SPW_REPOSITORY_MISSING')) throw error;
    context.output.warn(`the repository cannot be read: ${error.message}`);
    return undefined;
  }
}
