// `spillway verify`: whether what is stored can be had back. Damage is a result: it is told in full, and the exit code is 13.

import { exitCodes, SpillwayError, type DamageDocument, type VerifyDocument } from '@spillway/contract';
import type { Command } from '../context.ts';
import * as engine from '@spillway/engine';
import { clusterName, defaultWorkers, loadFor, openConfigured } from '../session.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/format.ts';

const FINDINGS_SHOWN_MAX = 20;
const HURTS_SHOWN_MAX = 5;

export interface VerifyCommandOptions extends StatsOptions {
  readonly all?: boolean;
  readonly level: 'structure' | 'data';
  readonly workers?: number;
}

export const verify: Command<VerifyCommandOptions> = async (context, options, ...ids) => {
  if (options.all === true && ids.length > 0) {
    throw new SpillwayError('SPW_USAGE', '--all and names of backups do not go together');
  }
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const settings = Object.hasOwn(loaded.configuration.clusters, cluster)
    ? loaded.configuration.clusters[cluster]
    : undefined;
  const repository = await openConfigured(context, loaded);
  const document: VerifyDocument = await engine.verify({
    repository,
    cluster,
    ids,
    all: options.all === true,
    level: options.level,
    workers: options.workers ?? settings?.backup.workers ?? defaultWorkers(),
    signal: context.signal,
    report: context.output.report,
  });
  const stats = statsOf(options, loaded, repository);
  context.output.result(
    { ...document, ...stats },
    (colours) => renderVerification(document, colours) + renderStats(stats),
  );
  return document.result === 'passed' ? exitCodes.ok : exitCodes.damaged;
};

export function renderVerification(document: VerifyDocument, colours: Colours): string {
  const { backups, findings, findings_total: total, notices, next_good: good, level } = document;
  const lines = backups.map(({ id, result, files, bytes, faults }) =>
    result === 'passed'
      ? `${colours.green('passed')}  ${shortId(id)}  ${formatCount(files, 'file')}, ${formatBytes(bytes)}`
      : `${colours.red('FAILED')}  ${shortId(id)}  ${formatCount(faults, 'fault')}`,
  );
  const looked =
    level === 'data'
      ? `Read ${formatCount(document.chunks, 'chunk')}, ${formatBytes(document.bytes)}, in ${formatDuration(document.duration_seconds)}.`
      : `Looked for ${formatCount(document.chunks, 'chunk')}; none was read (--level data does).`;
  lines.push('', looked, ...notices.map((notice) => `note: ${notice}`));
  if (total === 0) return lines.join('\n');
  lines.push('', ...findings.slice(0, FINDINGS_SHOWN_MAX).flatMap(describeFinding));
  if (total > FINDINGS_SHOWN_MAX) lines.push(`and ${total - FINDINGS_SHOWN_MAX} more; all of them with --json`);
  lines.push(
    '',
    good === null
      ? 'No backup is known to be good. Next: spillway backup --type full'
      : `Still good: ${shortId(good)}. Next: spillway backup --type full`,
  );
  return lines.join('\n');
}

function describeFinding({ object, chunk, problem, hurts, hurts_total: total }: DamageDocument): readonly string[] {
  const shown = hurts.slice(0, HURTS_SHOWN_MAX).map(({ backup, file, offset, bytes }) => {
    const what = file === null ? 'all of it' : `${file}, bytes ${offset ?? 0} to ${(offset ?? 0) + (bytes ?? 0)}`;
    return `    hurts ${shortId(backup)}: ${what}`;
  });
  const more = total > shown.length ? [`    and ${total - shown.length} more places`] : [];
  return [`${object}${chunk === null ? '' : `, chunk ${chunk.slice(0, 12)}`}: ${problem}`, ...shown, ...more];
}
