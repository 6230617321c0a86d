// `spillway restore --table`: one table as it was, or several that belong together, beside the live one, in its place, or in a
// file. The difference is shown before a swap; then the name of the cluster must be typed, or said with --yes --confirm.

import { resolve } from 'node:path';
import { SpillwayError, type TableRestoreDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { scratchGround } from '../scratch.ts';
import { clusterName, clusterSource, loadFor, openForReading } from '../session.ts';
import { parseTarget, type TargetOptions } from '../target.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { renderDifferences, renderTableRestore } from '../ui/restore-table.ts';

/** What goes with --table alone. */
export interface TableOptions {
  readonly table?: readonly string[];
  readonly beside?: boolean;
  readonly swap?: boolean;
  readonly file?: string;
  readonly as?: string;
  readonly withoutIndexes?: boolean;
  readonly unlogged?: boolean;
  readonly lock?: boolean;
}

export interface RestoreTableOptions extends TableOptions, TargetOptions {
  readonly database?: readonly string[];
  readonly timeline?: number;
  readonly backup?: string;
  readonly workers?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly confirm?: string;
}

export const restoreTable: Command<RestoreTableOptions> = async (context, options) => {
  const { output, signal, directory } = context;
  const target = parseTarget(options);
  const how = chooseHow(options);
  refuseStray(options, how);
  for (const name of options.table ?? []) engine.parseTableName(name);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const source = await clusterSource(context, loaded, cluster);
  const opened = await openForReading(context, loaded);
  const ground = await scratchGround(context, loaded, cluster, opened);
  const database = options.database?.[0] ?? source.connection.database ?? 'postgres';
  const done = await engine.restoreTables({
    repository: opened.repository,
    cluster,
    tables: options.table ?? [],
    database,
    target,
    how,
    live: source.connection,
    ...(options.file === undefined ? {} : { file: resolve(directory, options.file) }),
    ...(options.as === undefined ? {} : { as: options.as }),
    isBare: options.withoutIndexes === true,
    isUnlogged: options.unlogged === true,
    isLocked: options.lock === true,
    isDryRun: options.dryRun === true,
    openMoment: () =>
      engine.openScratch({
        ...ground,
        target,
        purpose: 'table',
        databases: [database],
        ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
        ...(options.timeline === undefined ? {} : { timeline: options.timeline }),
        ...(options.backup === undefined ? {} : { backupId: options.backup }),
        ...(options.workers === undefined ? {} : { workers: options.workers }),
      }),
    confirm: async (tables) => {
      output.say(`${renderDifferences(tables)}\n`);
      const changed = tables.filter(({ way }) => way === 'contents');
      if (changed.length === 0) return;
      const rows = changed.reduce(
        (sum, { difference }) => sum + (difference?.added ?? 0) + (difference?.changed ?? 0),
        0,
      );
      await confirmLoss({
        impact: `${changed.map(({ shown }) => shown).join(', ')} of ${cluster} would have the rows of that moment again; ${rows} rows would go into a table beside.`,
        name: cluster,
        yes: options.yes === true,
        confirm: options.confirm,
        mayAsk: context.options.input,
        input: process.stdin,
        output: process.stderr,
        signal,
      });
    },
    ...(ground.searchPath === undefined ? {} : { searchPath: ground.searchPath }),
    ...(ground.binDirectory === undefined ? {} : { binDirectory: ground.binDirectory }),
    signal,
    report: output.report,
  });
  const document: TableRestoreDocument = done;
  output.result(document, () => renderTableRestore(document));
  return 0;
};

function chooseHow({ beside, swap, file }: RestoreTableOptions): 'beside' | 'swap' | 'file' {
  const said = [
    ...(beside === true ? (['beside'] as const) : []),
    ...(swap === true ? (['swap'] as const) : []),
    ...(file === undefined ? [] : (['file'] as const)),
  ];
  const [how = 'beside', second] = said;
  if (second === undefined) return how;
  throw usage('a table goes to one place', 'two were named', 'give one of --beside, --swap and --file');
}

function refuseStray(options: RestoreTableOptions, how: 'beside' | 'swap' | 'file'): void {
  if ((options.database?.length ?? 0) > 1) {
    throw usage(
      '--table is about one database',
      `${options.database?.length} were named`,
      'run it once for each database',
    );
  }
  if (how !== 'beside' && (options.withoutIndexes === true || options.as !== undefined)) {
    throw usage('--as and --without-indexes need --beside', 'they are about the table that is put beside');
  }
  if (how === 'file' && options.unlogged === true)
    throw usage('--unlogged goes with --beside and --swap', 'a file is no table');
  if (how !== 'swap' && options.lock === true)
    throw usage('--lock needs --swap', 'nothing else changes the live table');
  if (options.lock === true && options.yes !== true && options.dryRun !== true) {
    throw usage('--lock needs --yes --confirm', 'writers would wait for somebody to type', 'look first with --dry-run');
  }
}

const usage = (message: string, why: string, hint?: string): SpillwayError =>
  new SpillwayError('SPW_USAGE', message, { why, ...(hint === undefined ? {} : { hint }) });
