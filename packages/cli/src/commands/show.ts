// `spillway show <backup-id>`: all that is known of one backup.

import type { ShownBackup } from '@spillway/contract';
import { provenance } from '@spillway/control';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import { formatBytes, formatCount, formatDuration, formatRelative, formatTime, formatVersion } from '../ui/format.ts';
import type { Colours } from '../ui/colour.ts';
import { renderProof } from './backups.ts';
import { renderPairs } from '../ui/table.ts';

export const show: Command<object> = async (context, _options, id = '') => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const found = await engine.findBackup({ repository, cluster, id, signal: context.signal });
  const { records } = await engine.listEvidence(repository, cluster, context.signal);
  const { active } = await engine.listLegalHolds(repository, cluster, context.signal);
  const told = provenance(engine.verdicts(records).get(found.id), active.get(found.id));
  const summary: ShownBackup = { ...found, ...told };
  context.output.result(summary, (colours) => renderSummary(summary, new Date(), colours));
  return 0;
};

const unread = {
  'wal-summaries': '; the rest was unchanged by the WAL summaries',
  times: '; the rest was unchanged by size, times and inode',
  none: '',
} as const;

export function renderSummary(backup: ShownBackup, now: Date, colours: Colours): string {
  const finished = new Date(backup.finished_at);
  return renderPairs([
    ['id', backup.id],
    ['cluster', `${backup.cluster} (system identifier ${backup.system_identifier})`],
    [
      'type',
      `${backup.type}, of the ${backup.taken_from}, ${backup.source === 'local' ? 'beside its data directory' : 'over the replication protocol'}`,
    ],
    ['started', formatTime(new Date(backup.started_at))],
    ['finished', `${formatTime(finished)}, ${formatRelative(finished, now)}`],
    ['took', formatDuration(backup.duration_seconds)],
    ['PostgreSQL', `${formatVersion(backup.postgres_version)} (catalog ${backup.catalog_version})`],
    ['WAL', `timeline ${backup.timeline}, ${backup.start_lsn} to ${backup.stop_lsn}`],
    ['files', formatCount(backup.files, 'file')],
    ['size', formatBytes(backup.bytes)],
    ['read', `${formatBytes(backup.read_bytes)}${unread[backup.unchanged_by ?? 'none']}`],
    ['new', `${formatBytes(backup.new_bytes)} in ${formatCount(backup.new_chunks, 'chunk')} of ${backup.chunks}`],
    ['stored', formatBytes(backup.stored_bytes)],
    ['proven', renderProof(backup, now, colours)],
    ...(backup.legal_hold === null ? [] : ([['LEGAL HOLD', backup.legal_hold]] as const)),
    ['page checksums', backup.checksums ? 'on' : 'off: damage cannot be seen while backing up'],
    ...backup.tablespaces.map(
      ({ oid, path, bytes }) => ['tablespace', `${oid} at ${path}, ${formatBytes(bytes)}`] as const,
    ),
    ...backup.damaged_pages.map(({ file, block }) => ['DAMAGED PAGE', `${file} block ${block}`] as const),
    ...(backup.damaged_page_count > backup.damaged_pages.length
      ? ([['DAMAGED PAGES', `${backup.damaged_page_count} in all`]] as const)
      : []),
  ]);
}
