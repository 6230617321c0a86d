// `spillway backups`: what there is to restore from, and from when to when.

import type { BackupsDocument, RecoveryWindow, ShownBackup } from '@spillway/contract';
import { describeBackups } from '@spillway/control';
import type { Command } from '../context.ts';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatDuration, formatRelative, formatTime, shortId } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export const backups: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const document = await describeBackups({ repository, cluster, signal: context.signal });
  context.output.result(document, (colours) => renderBackups(document, new Date(), colours));
  return 0;
};

export function renderBackups(
  { cluster, recovery_window: window, backups: list }: BackupsDocument,
  now: Date,
  colours: Colours,
): string {
  if (list.length === 0) return `No backup of ${cluster} yet.\n\nNext: spillway backup`;
  const table = renderTable(
    [
      { title: 'ID' },
      { title: 'TYPE' },
      { title: 'FINISHED' },
      { title: 'TOOK', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'STORED', align: 'right' },
      { title: 'WAL' },
      { title: 'PROVEN' },
    ],
    list.map((backup) => {
      const finished = new Date(backup.finished_at);
      return [
        shortId(backup.id),
        backup.type,
        `${formatTime(finished)}, ${formatRelative(finished, now)}`,
        formatDuration(backup.duration_seconds),
        formatBytes(backup.bytes),
        formatBytes(backup.stored_bytes),
        `${backup.wal_complete ? colours.green('complete') : colours.red('MISSING')}${backup.damaged_pages.length > 0 ? colours.yellow(', DAMAGED PAGES') : ''}`,
        `${renderProof(backup, now, colours)}${backup.legal_hold === null ? '' : colours.yellow(', ON HOLD')}`,
      ];
    }),
  );
  return `${describeWindow(cluster, window, now)}\n\n${table}`;
}

export function renderProof(
  { proven_at: at, verification }: Pick<ShownBackup, 'proven_at' | 'verification'>,
  now: Date,
  colours: Colours,
): string {
  if (verification === 'failed') return colours.red('FAILED');
  return at === null ? 'not yet' : colours.green(formatRelative(new Date(at), now));
}

function describeWindow(cluster: string, window: RecoveryWindow, now: Date): string {
  const { earliest_at: earliest, latest_at: latest, gaps } = window;
  if (earliest === null || latest === null) return `${cluster} cannot be recovered: no backup has the WAL it needs.`;
  const [from, to] = [new Date(earliest), new Date(latest)];
  const lines = [
    `${cluster} can be recovered to any moment from ${formatTime(from)} to ${formatTime(to)} (${formatRelative(to, now)})${gaps.length > 0 ? ', except in gaps:' : '.'}`,
    ...gaps.map((gap) => `  WAL of timeline ${gap.timeline} is missing from ${gap.from_lsn} to ${gap.to_lsn}`),
  ];
  return lines.join('\n');
}
