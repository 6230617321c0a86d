// What people read of a restore: the plan, with everything it would do, and what came of it.

import type { RestoreDocument, RestorePlan } from '@spillway/contract';
import { formatBytes, formatCount, formatDuration, formatRate, formatTime, shortId } from './format.ts';
import { renderPairs } from './table.ts';

export interface PlannedStart {
  readonly port: number | undefined;
  readonly isolated: boolean;
}

/** Everything that the restore would do. */
export function renderPlan(plan: RestorePlan, start: PlannedStart | undefined): string {
  const { backup, target } = plan;
  const pairs: (readonly [string, string])[] = [
    ['restore', `${plan.cluster} into ${plan.directory}, ${MODES[plan.mode]}`],
    [
      'to',
      `${describeTarget(target)}${plan.recovers_to === null ? '' : ` (${plan.recovers_to})`}, timeline ${plan.timeline}`,
    ],
    ['from', `backup ${shortId(backup.id)} (${backup.type}) of ${formatTime(new Date(backup.finished_at))}`],
    [
      'files',
      `${formatCount(plan.files, 'file')}, ${formatBytes(plan.bytes)}; ${formatBytes(plan.fetch_bytes)} to fetch`,
    ],
    ...renderChanges(plan),
    ...plan.tablespaces.map(
      ({ oid, name, path, old_path: old, bytes, free_bytes: free }): readonly [string, string] => [
        'tablespace',
        `${name ?? oid}, ${formatBytes(bytes)}, at ${path}${path === old ? '' : ` (was ${old})`}, free ${formatBytes(free)}`,
      ],
    ),
    ...(plan.wal_directory === null ? [] : [['pg_wal', `at ${plan.wal_directory}`] as const]),
    ...(plan.databases === null ? [] : [['databases', plan.databases.restored.join(', ')] as const]),
    [
      'WAL',
      `${formatCount(plan.wal_segments, 'segment')}, ${formatBytes(plan.wal_bytes)}, ${plan.wal_from_lsn} to ${plan.wal_to_lsn}`,
    ],
    ['space', `needs ${formatBytes(plan.needed_bytes)}, free ${formatBytes(plan.free_bytes)}`],
    [
      'expected',
      plan.expected_seconds === null
        ? 'unknown: nothing measured yet'
        : `${formatDuration(plan.expected_seconds)} (${plan.expected_from})`,
    ],
    ['signal', plan.signal_file],
    ...Object.entries(plan.settings).map(
      ([name, value]) => ['setting', `${name} = '${value}', until it has recovered`] as const,
    ),
    ...Object.entries(plan.lasting_settings).map(([name, value]) => ['setting', `${name} = '${value}'`] as const),
    ...(plan.dropped_settings.length === 0 ? [] : [['left out', plan.dropped_settings.join(', ')] as const]),
    ['then', renderThen(plan, start)],
  ];
  return [renderPairs(pairs), ...plan.notes.map((note) => `note: ${note}`)].join('\n');
}

const MODES: Readonly<Record<RestorePlan['mode'], string>> = {
  fresh: 'which is empty',
  delta: 'over what is there',
  resume: 'going on with an unfinished restore',
};

function renderChanges({ changes }: RestorePlan): readonly (readonly [string, string])[] {
  if (changes === null) return [];
  const { kept_files: kept, new_files: made, removed, different_bytes: different } = changes;
  const compared =
    different === null ? 'to be compared' : `compared, of which ${formatBytes(different)} differ and are overwritten`;
  return [
    ['there', `${formatCount(kept, 'file')} ${compared}`],
    ['new', formatCount(made, 'file')],
    ['removed', `${formatCount(removed, 'path')} that the backup does not have`],
  ];
}

function renderThen(plan: RestorePlan, start: PlannedStart | undefined): string {
  if (start === undefined) return 'nothing is started';
  const port = start.port === undefined ? 'the port of its configuration, or a free one' : `port ${start.port}`;
  const end = plan.standby
    ? 'follows its primary'
    : { promote: 'takes writes', pause: 'pauses', shutdown: 'shuts down' }[plan.action];
  return `the server is started there on ${port}${start.isolated ? ', isolated' : ''}, recovers, and ${end}`;
}

export function renderRestore(document: RestoreDocument): string {
  const { plan, restore: done, recovery, loss, total_seconds: total } = document;
  const elsewhere =
    done.detours.length === 0
      ? ''
      : ` ${formatCount(done.detours.length, 'object')} of it came from another place: ${[...new Set(done.detours.map(({ instead }) => instead))].join(', ')}.`;
  const files = `Restored ${formatBytes(done.bytes)} in ${formatCount(done.files, 'file')} into ${done.directory} in ${formatDuration(done.duration_seconds)}, ${formatRate(done.bytes_per_second)}; ${formatBytes(done.written_bytes)} written. Read from ${done.source}.${elsewhere}`;
  if (recovery === null) {
    const then = plan.standby ? 'it comes up as a standby' : `it recovers to ${describeTarget(plan.target)} by itself`;
    return `${files}\n\nNext: start the server there; ${then}:\n  pg_ctl -D ${done.directory} start`;
  }
  const psql = `psql -h ${recovery.host} -p ${recovery.port} postgres`;
  const last = recovery.recovered_to_time === null ? '' : `, last commit ${recovery.recovered_to_time}`;
  const lost = loss === null ? '' : `\n${renderLoss(loss)}`;
  const recovered = `Recovered to ${recovery.recovered_to_lsn ?? 'the end of the backup'} on timeline ${recovery.timeline}${last}, in ${formatDuration(recovery.recovery_seconds)}.${lost}`;
  const runs = `The server runs: pid ${recovery.pid}, host ${recovery.host}, port ${recovery.port}. In all ${formatDuration(total)}.`;
  switch (recovery.state) {
    case 'running':
      return `${files}\n${recovered}\n${runs}\n\nNext: ${psql}`;
    case 'standby': {
      const streams =
        recovery.streaming === true ? 'streams from its primary' : 'does not stream yet, and follows the repository';
      return `${files}\n${recovered}\n${runs} It is a standby and ${streams}.\n\nNext: ${psql} -c 'SELECT * FROM pg_stat_wal_receiver'`;
    }
    case 'paused':
      return `${files}\n${recovered}\n${runs} It is paused at the target and can be read.\n\nNext: look whether all is there, then let it go on: ${psql} -c 'SELECT pg_wal_replay_resume()'`;
    case 'shut down':
      return `${files}\n${recovered}\nThe server has shut down at the target. In all ${formatDuration(total)}.\n\nNext: to take it into use, set recovery_target_action = 'promote' in postgresql.auto.conf, then: pg_ctl -D ${done.directory} start`;
  }
}

export function renderLoss({
  certainty,
  seconds,
  canaries,
  within_seconds: within,
  chosen,
  why,
}: NonNullable<RestoreDocument['loss']>): string {
  if (certainty === 'unknown' || seconds === null || canaries === null) return `Lost: unknown; ${why}.`;
  const least = certainty === 'at-least' ? 'at least ' : '';
  const what =
    canaries === 0 ? 'no canary' : `${formatCount(canaries, 'canary', 'canaries')}, ${formatDuration(seconds)}`;
  const exact = within === null || certainty !== 'exact' ? '' : `, to within ${formatDuration(within)}`;
  return `${chosen ? 'Given up by the choice of the target' : 'Lost'}: ${least}${what}${exact}; ${why}.`;
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
