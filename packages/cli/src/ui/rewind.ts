// What people read of a rewind: what was decided and why, and what came of it.

import type { RewindDocument, RewindPlan } from '@spillway/contract';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import { renderPairs } from './table.ts';

export function renderRewindPlan(plan: RewindPlan): string {
  const { target, source, fork, wal, kept } = plan;
  const pairs: (readonly [string, string])[] = [
    ['rewind', `${plan.cluster} in ${plan.directory}`],
    [
      'there',
      `PostgreSQL ${target.postgres_major}, ${target.state}, timeline ${target.timeline}${target.end_lsn === null ? '' : `, up to ${target.end_lsn}`}`,
    ],
    [
      'to',
      `${source.host}:${source.port}, ${source.in_recovery ? 'a standby' : 'a primary'} on timeline ${source.timeline}, at ${source.lsn}`,
    ],
    ...(fork === null ? [] : [['parted', `at ${fork.lsn} on timeline ${fork.timeline}`] as const]),
    ...(wal.read ? [['WAL', renderWal(wal)] as const] : []),
    ...(kept === null
      ? []
      : [
          [
            'kept aside',
            `${formatBytes(kept.bytes)} in ${kept.folder}: ${kept.wal.length === 1 ? (kept.wal[0] ?? '') : formatCount(kept.wal.length, 'WAL file')}; ${kept.files.join(', ') || 'no files of this host'}`,
          ] as const,
          [
            'put back',
            `${kept.files.join(', ') || 'nothing'}: files of this host, which pg_rewind replaces by the source's`,
          ] as const,
        ]),
    ['decision', `${DECISIONS[plan.decision]}${plan.rehearsed ? ', and pg_rewind has rehearsed it' : ''}`],
  ];
  if (plan.decision !== 'impossible') {
    pairs.push(
      ['signal', plan.signal_file],
      ...Object.entries(plan.lasting_settings).map(([name, value]) => ['setting', `${name} = '${value}'`] as const),
      ...(plan.dropped_settings.length === 0 ? [] : [['left out', plan.dropped_settings.join(', ')] as const]),
    );
  }
  const reasons = plan.reasons.map(({ reason, instead }) => `- ${reason}\n  Instead: ${instead}.`);
  const notes = plan.decision === 'impossible' ? [] : plan.notes.map((note) => `note: ${note}`);
  return [renderPairs(pairs), ...reasons, ...notes].join('\n');
}

const DECISIONS: Readonly<Record<RewindPlan['decision'], string>> = {
  nothing: 'nothing to rewind: it wrote nothing that the source lacks, and only becomes a standby',
  rewind: 'rewind',
  impossible: 'impossible',
};

function renderWal({
  checkpoint_lsn: checkpoint,
  segments,
  from_repository: fetched,
  missing,
}: RewindPlan['wal']): string {
  const begin = checkpoint === null ? 'no common checkpoint found' : `from the common checkpoint at ${checkpoint}`;
  const places = [
    `${formatCount(segments, 'segment')} in pg_wal`,
    ...(fetched.length === 0 ? [] : [`${fetched.length} from the repository`]),
    ...(missing.length === 0 ? [] : [`${missing.length} missing`]),
  ];
  return `${begin}, ${places.join(', ')}`;
}

export function renderRewind({ plan, rewind: done }: RewindDocument): string {
  const { source } = plan;
  const start = `Next: start the server there; it follows ${source.host}:${source.port}:\n  pg_ctl -D ${done.directory} start`;
  if (!done.rewound) return `Nothing had to be rewound; ${done.directory} is a standby now.\n\n${start}`;
  const fetched =
    done.fetched_wal.length === 0
      ? ''
      : ` ${formatCount(done.fetched_wal.length, 'WAL file')} came from the repository.`;
  return `Rewound ${done.directory} to timeline ${source.timeline} in ${formatDuration(done.duration_seconds)}.${fetched}
Kept aside: ${formatBytes(done.kept_bytes)} in ${done.kept_folder}, with all that was written here after ${plan.fork?.lsn}. Rows that were lost with it are in there:
  pg_waldump --path ${done.kept_folder}/wal --timeline ${plan.target.timeline} --start ${plan.fork?.lsn}

${start}`;
}
