// What `verify` says: each backup's result, what was looked at, and of what is bad where it is and what it hurts.

import type { DamageDocument, VerifyDocument } from '@spillway/contract';
import type { Colours } from './colour.ts';
import { formatBytes, formatCount, formatDuration, shortId } from './format.ts';

const FINDINGS_SHOWN_MAX = 20;
const HURTS_SHOWN_MAX = 5;

export function renderVerification(document: VerifyDocument, colours: Colours): string {
  const { backups, findings, findings_total: total, notices, next_good: good, sample } = document;
  const lines = backups.map(({ id, result, files, bytes, faults }) => {
    if (result === 'failed') return `${colours.red('FAILED')}  ${shortId(id)}  ${formatCount(faults, 'fault')}`;
    const size = files === 0 ? '' : `  ${formatCount(files, 'file')}, ${formatBytes(bytes)}`;
    return sample === null
      ? `${colours.green('passed')}  ${shortId(id)}${size}`
      : `no harm in today's share  ${shortId(id)}${size}`;
  });
  lines.push('', ...looked(document), ...notices.map((notice) => `note: ${notice}`));
  if (total === 0) return lines.join('\n');
  lines.push('', ...findings.slice(0, FINDINGS_SHOWN_MAX).flatMap(describeFinding));
  if (total > FINDINGS_SHOWN_MAX) lines.push(`and ${total - FINDINGS_SHOWN_MAX} more; all of them with --json`);
  lines.push('', next(document.level, good));
  return lines.join('\n');
}

function next(level: VerifyDocument['level'], good: string | null): string {
  const again = {
    dump: 'spillway backup --source logical',
    restore: 'see with pg_amcheck whether the cluster itself has it, mend it there, then spillway backup --type full',
    other: 'spillway backup --type full',
  }[level === 'dump' || level === 'restore' ? level : 'other'];
  if (good === null) return `No ${level === 'dump' ? 'dump' : 'backup'} is known to be good. Next: ${again}`;
  return `Still good: ${shortId(good)}. Next: ${again}`;
}

function looked(document: VerifyDocument): readonly string[] {
  const { level, chunks, bytes, sample, duration_seconds: seconds } = document;
  const time = formatDuration(seconds);
  switch (level) {
    case 'structure':
      return [`Looked for ${formatCount(chunks, 'chunk')}; none was read (--level data does).`];
    case 'data':
      return [
        `Read ${formatCount(chunks, 'chunk')}, ${formatBytes(bytes)}, in ${time}.`,
        ...(sample === null ? [] : describeSample(sample)),
      ];
    case 'wal':
      return document.wal === null ? [] : describeWal(document.wal, time);
    case 'dump':
      return (document.dumps ?? []).flatMap(({ databases }) =>
        databases.map(
          ({ name, entries, tables_with_data: tables }) =>
            `${name}: pg_restore lists ${formatCount(entries, 'entry', 'entries')}, rows of ${formatCount(tables, 'table')}.`,
        ),
      );
    case 'restore':
      return document.restore === null ? [] : describeRestore(document.restore);
  }
}

function describeSample({
  of,
  shares,
  all_read_by: by,
  all_read_since: since,
}: NonNullable<VerifyDocument['sample']>): readonly string[] {
  const which = shares.length === 1 ? `Share ${shares[0]}` : `Shares ${shares.join(', ')}`;
  const whole = since === null ? `all will have been read on ${by}` : `all was read since ${since}`;
  return [`${which} of ${of} (0 to ${of - 1}); ${whole}.`];
}

function describeWal(
  { chains, objects, bytes, records }: NonNullable<VerifyDocument['wal']>,
  time: string,
): readonly string[] {
  return [
    ...chains.map(
      ({ backup, from_lsn: from, to_lsn: to, timeline, segments, sent_at: at }) =>
        `${shortId(backup)}: ${formatCount(segments, 'segment')} from ${from} to ${to} on timeline ${timeline}${at === null ? '' : `, sent at ${at}`}.`,
    ),
    `Read ${formatCount(objects, 'object')}, ${formatBytes(bytes)}, and checked ${formatCount(records, 'record')}, in ${time}.`,
  ];
}

function describeRestore(proof: NonNullable<VerifyDocument['restore']>): readonly string[] {
  const { target, seed, window, phases, amcheck, pages, tables, rows, checks } = proof;
  const moment = target.value === null ? target.kind : `${target.kind} ${target.value}`;
  const chosen =
    seed === null || window === null ? '' : `, chosen from ${window.from} to ${window.to} by --seed ${seed}`;
  const times = phases.map(({ name, seconds }) => `${name} ${formatDuration(seconds)}`).join(', ');
  const { recovered_to_lsn: lsn } = proof;
  return [
    `Moment: ${moment}${chosen}.`,
    ...(phases.length === 0 ? [] : [`Recovered${lsn === null ? '' : ` to ${lsn}`}: ${times}.`]),
    ...(amcheck === null
      ? []
      : [`pg_amcheck ${amcheck.version}: every database, in ${formatDuration(amcheck.seconds)}.`]),
    ...(phases.length === 0 ? [] : [`Counted ${formatCount(rows, 'row')} in ${formatCount(tables, 'table')}.`]),
    ...(pages === null
      ? []
      : [
          `Checksums of ${formatCount(pages.pages, 'page')}, by ${pages.by === 'spillway' ? 'Spillway itself' : pages.by}.`,
        ]),
    ...checks.map(({ sql, result, found }) => `${result === 'passed' ? 'true' : `NOT TRUE (${found})`}: ${sql}`),
  ];
}

function describeFinding({ object, chunk, problem, hurts, hurts_total: total }: DamageDocument): readonly string[] {
  const shown = hurts.slice(0, HURTS_SHOWN_MAX).map(({ backup, file, offset, bytes }) => {
    const part = offset === null ? file : `${file}, bytes ${offset} to ${offset + (bytes ?? 0)}`;
    return `    hurts ${shortId(backup)}: ${file === null ? 'all of it' : part}`;
  });
  const more = total > shown.length ? [`    and ${total - shown.length} more places`] : [];
  return [`${object}${chunk === null ? '' : `, chunk ${chunk.slice(0, 12)}`}: ${problem}`, ...shown, ...more];
}
