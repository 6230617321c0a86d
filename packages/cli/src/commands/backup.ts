// `spillway backup`: one backup, complete in itself, with the WAL it needs.
// Damaged pages of the cluster are kept and told: the backup is there, and the exit code says that it has warnings.

import { errorTable, exitCodes, type BackupSummary, type MadeBackup, SpillwayError } from '@spillway/contract';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { makeAtPlaces } from '../places.ts';
import { clusterName, clusterSource, defaultWorkers, loadFor } from '../session.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import { renderPlaces } from '../ui/places.ts';
import { formatBytes, formatCount, formatDuration, formatRate, shortId } from '../ui/format.ts';

export interface BackupOptions extends StatsOptions {
  /** By default what the configuration says. */
  readonly source?: 'local' | 'stream' | 'logical' | 'schema';
  /** Of a dump. */
  readonly database?: readonly string[];
  readonly type: 'full' | 'incremental';
  readonly workers?: number;
  readonly compressionLevel?: number;
  readonly newSystem?: boolean;
}

const DAMAGE_SHOWN_MAX = 10;

export const backup: Command<BackupOptions> = async (context, options) => {
  const { source } = options;
  if (source === 'logical' || source === 'schema') {
    const { dump } = await import('./dumps.ts');
    return dump(context, { ...options, source });
  }
  if (options.database !== undefined) {
    throw new SpillwayError('SPW_USAGE', '--database needs --source logical or --source schema', {
      why: 'a physical backup holds the whole cluster',
    });
  }
  const loaded = await loadFor(context);
  const name = clusterName(context, loaded.configuration);
  const { settings, ...cluster } = await clusterSource(context, loaded, name);
  const workers = options.workers ?? settings.backup.workers ?? defaultWorkers();
  const {
    made,
    places,
    exitCode,
    repository: asked,
  } = await makeAtPlaces(context, loaded, { cluster: name, workers }, (repository) =>
    engine.backup({
      repository,
      cluster,
      source: source ?? settings.backup.source,
      type: options.type,
      workers,
      compressionLevel: options.compressionLevel ?? settings.backup.compression_level,
      walTimeoutMs: settings.backup.wal_timeout,
      slot: settings.wal.slot,
      flushIntervalMs: settings.wal.flush_interval,
      walCompressionLevel: settings.wal.compression_level,
      newSystem: options.newSystem === true,
      signal: context.signal,
      report: context.output.report,
    }),
  );
  const document: MadeBackup = { ...made, places };
  const stats = statsOf(options, loaded, asked);
  context.output.result({ ...document, ...stats }, () => renderBackup(document) + renderStats(stats));
  if (made.damaged_page_count > 0) context.output.warn(describeDamage(made));
  return exitCode === exitCodes.ok && made.damaged_page_count > 0 ? exitCodes.warnings : exitCode;
};

export function renderBackup(summary: MadeBackup): string {
  const {
    id,
    cluster,
    type,
    bytes,
    files,
    duration_seconds: seconds,
    new_bytes: added,
    stored_bytes: stored,
    read_bytes: read,
  } = summary;
  const rate = seconds > 0 ? `, ${formatRate(bytes / seconds)}` : '';
  const unread = {
    'wal-summaries': ', the rest unchanged by WAL summaries',
    times: ', the rest unchanged by its times',
  };
  const standby = summary.taken_from === 'standby' ? ', from a standby' : '';
  return `Backup ${shortId(id)} of ${cluster} is complete (${type}${standby}).
  ${formatBytes(bytes)} in ${formatCount(files, 'file')}, in ${formatDuration(seconds)}${rate}
  read ${formatBytes(read)}${summary.unchanged_by === null ? '' : unread[summary.unchanged_by]}
  new ${formatBytes(added)}, stored as ${formatBytes(stored)}${renderPlaces(summary.places)}

Next: spillway backups`;
}

export function describeDamage({ damaged_pages: pages, damaged_page_count: count }: BackupSummary): string {
  const shown = pages.slice(0, DAMAGE_SHOWN_MAX).map(({ file, block }) => `${file} block ${block}`);
  const more = count > shown.length ? `, and ${count - shown.length} more` : '';
  return `${formatCount(count, 'page')} with a wrong checksum: ${shown.join(', ')}${more}; ${errorTable.SPW_PAGE_DAMAGED.hint} [SPW_PAGE_DAMAGED]`;
}
