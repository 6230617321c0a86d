// `spillway dump list`, `show` and `verify`, and the making of dumps for `backup --source logical` and `--source schema`.

import type { DumpsDocument, DumpSummary, MadeDump, VerifiedDumpDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import { clientSearch } from '../client-search.ts';
import type { Command, Context } from '../context.ts';
import { makeAtPlaces } from '../places.ts';
import { clusterName, clusterSource, defaultWorkers, loadFor, openConfigured } from '../session.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatRelative,
  formatTime,
  formatVersion,
  shortId,
} from '../ui/format.ts';
import { renderPlaces } from '../ui/places.ts';
import { renderPairs, renderTable } from '../ui/table.ts';

export interface DumpOptions extends StatsOptions {
  readonly source: 'logical' | 'schema';
  readonly database?: readonly string[];
  readonly workers?: number;
  readonly compressionLevel?: number;
  readonly newSystem?: boolean;
}

export const dump: Command<DumpOptions> = async (context, options) => {
  const loaded = await loadFor(context);
  const name = clusterName(context, loaded.configuration);
  const { settings, connection } = await clusterSource(context, loaded, name);
  const workers = options.workers ?? settings.backup.workers ?? defaultWorkers();
  const {
    made,
    places,
    exitCode,
    repository: asked,
  } = await makeAtPlaces(context, loaded, { cluster: name, workers }, (repository) =>
    engine.dump({
      ...clientSearch(context, loaded, name),
      repository,
      cluster: { name, connection },
      kind: options.source,
      ...(options.database === undefined ? {} : { databases: options.database }),
      workers,
      compressionLevel: options.compressionLevel ?? settings.backup.compression_level,
      newSystem: options.newSystem === true,
      signal: context.signal,
      report: context.output.report,
    }),
  );
  const document: MadeDump = { ...made, places };
  const stats = statsOf(options, loaded, asked);
  context.output.result({ ...document, ...stats }, () => renderMade(document) + renderStats(stats));
  return exitCode;
};

export const list: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const dumps = await engine.listDumps({
    repository,
    cluster,
    signal: context.signal,
    report: context.output.report,
  });
  const document: DumpsDocument = { cluster, dumps };
  context.output.result(document, () => renderDumps(document, new Date()));
  return 0;
};

export const show: Command<object> = async (context, _options, id = '') => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const summary = await engine.findDump({ repository, cluster, id, signal: context.signal });
  context.output.result(summary, () => renderDump(summary, new Date()));
  return 0;
};

export const verify: Command<{ readonly workers?: number }> = async (context, options, id = '') => {
  const verified: VerifiedDumpDocument = await engine.verifyDump(await workOn(context, id, options.workers));
  context.output.result(verified, () => {
    const tables = verified.databases.map(
      ({ name, entries, tables_with_data: tablesWithData }) =>
        `  ${name}: ${formatCount(entries, 'entry', 'entries')}, data of ${formatCount(tablesWithData, 'table')}`,
    );
    return `Dump ${shortId(verified.dump)} is whole: ${formatBytes(verified.bytes)} read back in ${formatDuration(verified.duration_seconds)}, every chunk is what its id says.\n${tables.join('\n')}`;
  });
  return 0;
};

/** What the engine wants of a command that works on one dump. */
export async function workOn(context: Context, id: string, workers: number | undefined): Promise<engine.WorkOnDump> {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  return {
    ...clientSearch(context, loaded, cluster),
    repository: await openConfigured(context, loaded),
    cluster,
    id,
    workers: workers ?? defaultWorkers(),
    signal: context.signal,
    report: context.output.report,
  };
}

function renderMade(summary: MadeDump): string {
  const { id, cluster, source, bytes, databases, duration_seconds: seconds } = summary;
  const rate = seconds > 0 ? `, ${formatRate(bytes / seconds)}` : '';
  return `Dump ${shortId(id)} of ${cluster} is complete (${source}).
  ${formatBytes(bytes)} of ${formatCount(databases.length, 'database')}, in ${formatDuration(seconds)}${rate}
  new ${formatBytes(summary.new_bytes)}, stored as ${formatBytes(summary.stored_bytes)}${renderPlaces(summary.places)}

It restores databases into a server that runs; it cannot be rolled forward with WAL.
Next: spillway dump list`;
}

function renderDumps({ cluster, dumps }: DumpsDocument, now: Date): string {
  if (dumps.length === 0) return `No dump of ${cluster} yet.\n\nNext: spillway backup --source logical`;
  return renderTable(
    [
      { title: 'ID' },
      { title: 'SOURCE' },
      { title: 'FINISHED' },
      { title: 'TOOK', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'DATABASES' },
    ],
    dumps.map((dumped) => {
      const finished = new Date(dumped.finished_at);
      return [
        shortId(dumped.id),
        dumped.source,
        `${formatTime(finished)}, ${formatRelative(finished, now)}`,
        formatDuration(dumped.duration_seconds),
        formatBytes(dumped.bytes),
        formatBytes(dumped.stored_bytes),
        dumped.databases.map(({ name }) => name).join(', '),
      ];
    }),
  );
}

function renderDump(dumped: DumpSummary, now: Date): string {
  const finished = new Date(dumped.finished_at);
  return renderPairs([
    ['id', dumped.id],
    ['cluster', `${dumped.cluster} (system identifier ${dumped.system_identifier ?? 'not readable'})`],
    ['source', dumped.source],
    ['started', formatTime(new Date(dumped.started_at))],
    ['finished', `${formatTime(finished)}, ${formatRelative(finished, now)}`],
    ['took', formatDuration(dumped.duration_seconds)],
    ['PostgreSQL', `${formatVersion(dumped.postgres_version)}, dumped by pg_dump ${dumped.tool_version}`],
    ['WAL', dumped.lsn === null ? 'not readable' : `at ${dumped.lsn} before the first database`],
    ['size', formatBytes(dumped.bytes)],
    ['new', `${formatBytes(dumped.new_bytes)} in ${formatCount(dumped.new_chunks, 'chunk')} of ${dumped.chunks}`],
    ['stored', formatBytes(dumped.stored_bytes)],
    ['roles', dumped.role_passwords ? 'with their passwords' : 'without their passwords, which could not be read'],
    ...dumped.databases.map(
      (database) =>
        [
          'database',
          `${database.name} of ${database.owner}: ${formatBytes(database.bytes)}, ${database.encoding}, ${database.collation}, ${formatCount(database.large_objects, 'large object')}${database.extensions.map(({ name, version }) => `, ${name} ${version}`).join('')}`,
        ] as const,
    ),
  ]);
}
