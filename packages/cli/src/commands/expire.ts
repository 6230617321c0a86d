// `spillway expire`: the plan with every reason, then the removal.
//
// What the configuration says was decided before, so a scheduled run asks nothing. Flags that change the rules, and
// --backup, are decided now: then the name of the cluster is asked for, or that of a backup that something keeps.

import {
  exitCodes,
  type ExpireDocument,
  type ExpiryPlanDocument,
  parseByteSize,
  parseDuration,
  SpillwayError,
} from '@spillway/contract';
import { policyOf } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, loadFor, openConfigured, retentionAt } from '../session.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import type { Colours } from '../ui/colour.ts';
import { confirmLoss } from '../ui/confirm.ts';
import { formatBytes, formatCount, formatTime, shortId } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface ExpireOptions extends StatsOptions {
  readonly dryRun?: boolean;
  readonly keepCount?: number;
  readonly keepDays?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly minimumProven?: number;
  readonly pointInTime?: string;
  readonly grace?: string;
  readonly repackBelow?: number;
  readonly repackMax?: string;
  readonly backup?: readonly string[];
  readonly yes?: boolean;
  readonly confirm?: string;
}

const HOUR_MS = 3_600_000;
const REPACK_BYTES = 4 * 2 ** 30;

export const expire: Command<ExpireOptions> = async (context, options) => {
  const { output, signal } = context;
  const graceMs = options.grace === undefined ? undefined : milliseconds('--grace', options.grace);
  const flags = flagsOf(options);
  const repackBytesMax = options.repackMax === undefined ? REPACK_BYTES : bytes('--repack-max', options.repackMax);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const configured = retentionAt(loaded, context.options.repository, cluster);
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const policy: engine.RetentionPolicy = { ...policyOf(configured), ...Object.fromEntries(given) };
  const repository = await openConfigured(context, loaded);
  const asked = {
    repository,
    cluster,
    policy,
    repackBelow: (options.repackBelow ?? 50) / 100,
    signal,
    ...(options.backup === undefined ? {} : { named: options.backup }),
  };
  const byFlags = options.backup !== undefined || Object.values(flags).some((value) => value !== undefined);
  const { plan } = await engine.planExpiry({ ...asked, now: new Date(), estimate: true });
  if (options.dryRun === true) {
    output.result(plan, (colours) => `${renderPlan(plan, colours)}\n\nNothing was done (--dry-run).`);
    return exitCodes.ok;
  }
  output.say(`${renderPlan(plan, output.messageColours)}\n`);
  const going = engine.namesGone(plan).map(({ id }) => id);
  if (byFlags && going.length > 0) await confirm(context, options, cluster, plan, going);
  const summary: ExpireDocument = await engine.expire({
    ...asked,
    ...(byFlags ? { agreed: new Set(going), force: true } : {}),
    graceMs: graceMs ?? configured?.grace ?? 24 * HOUR_MS,
    repackBytesMax,
    report: output.report,
  });
  const stats = statsOf(options, loaded, repository);
  output.result({ ...summary, ...stats }, () => renderSummary(summary) + renderStats(stats));
  return summary.not_collected === null ? exitCodes.ok : exitCodes.damaged;
};

const flagsOf = (options: ExpireOptions): Partial<engine.RetentionPolicy> => ({
  keepCount: options.keepCount,
  keepDays: options.keepDays,
  keepDaily: options.keepDaily,
  keepWeekly: options.keepWeekly,
  keepMonthly: options.keepMonthly,
  keepYearly: options.keepYearly,
  pointInTimeMs: options.pointInTime === undefined ? undefined : milliseconds('--point-in-time', options.pointInTime),
  ...(options.minimumProven === undefined ? {} : { minimumProven: options.minimumProven }),
});

function confirm(
  context: Context,
  options: ExpireOptions,
  cluster: string,
  plan: ExpiryPlanDocument,
  going: readonly string[],
): Promise<void> {
  const needed = plan.backups.find(({ keep, reasons }) => !keep && reasons.some((why) => why.startsWith('though')));
  const what = `${formatCount(going.length, 'backup or dump', 'backups or dumps')} of ${cluster} will be removed: ${going.map(shortId).join(', ')}.`;
  return confirmLoss({
    impact:
      needed === undefined
        ? what
        : `${what} Backup ${shortId(needed.id)} is kept by these rules: ${needed.reasons
            .slice(1)
            .map((why) => why.replace(/^though /, ''))
            .join(', ')}.`,
    name: needed === undefined ? cluster : shortId(needed.id),
    yes: options.yes === true,
    confirm: options.confirm,
    mayAsk: context.options.input,
    input: process.stdin,
    output: process.stderr,
    signal: context.signal,
  });
}

function milliseconds(flag: string, text: string): number {
  const value = parseDuration(text);
  if (value !== undefined) return value;
  throw new SpillwayError('SPW_USAGE', `${flag} ${text} is not understood`, {
    why: 'it must be a duration with its unit (ms, s, min, h, d), such as 7d',
  });
}

function bytes(flag: string, text: string): number {
  const value = parseByteSize(text);
  if (value !== undefined) return value;
  throw new SpillwayError('SPW_USAGE', `${flag} ${text} is not understood`, {
    why: 'it must be a size with its unit, such as 4GiB',
  });
}

export function renderPlan(plan: ExpiryPlanDocument, colours: Colours): string {
  const verdict = (keep: boolean): string => (keep ? colours.green('keep') : colours.yellow('EXPIRE'));
  const parts: string[] = [];
  const rows = [
    ...plan.backups.map((each) => ['backup', each] as const),
    ...plan.dumps.map((each) => [`${each.source} dump`, each] as const),
  ].map(([what, { id, finished_at: at, keep, reasons }]) => [
    shortId(id),
    what,
    formatTime(new Date(at)),
    verdict(keep),
    reasons.join('; '),
  ]);
  rows.push(...plan.unreadable.map(({ id, keep, why }) => [shortId(id), 'UNREADABLE', '-', verdict(keep), why]));
  parts.push(
    rows.length === 0
      ? `${plan.cluster} has no backup and no dump.`
      : renderTable([{ title: 'ID' }, { title: 'WHAT' }, { title: 'FINISHED' }, { title: '' }, { title: 'WHY' }], rows),
  );
  if (plan.wal.length > 0) {
    parts.push(
      renderTable(
        [
          { title: 'TIMELINE', align: 'right' },
          { title: 'WAL FROM' },
          { title: 'TO' },
          { title: 'SIZE', align: 'right' },
          { title: '' },
          { title: 'WHY' },
        ],
        plan.wal.map((range) => [
          String(range.timeline),
          range.from_lsn,
          range.to_lsn ?? '',
          formatBytes(range.bytes),
          verdict(range.keep),
          range.reason,
        ]),
      ),
    );
  }
  const packs = plan.pack_bytes === null ? '' : ` and about ${formatBytes(plan.pack_bytes)} of packs`;
  parts.push([`To be freed: ${formatBytes(plan.wal_bytes)} of WAL${packs}.`, ...plan.notes].join('\n'));
  return parts.join('\n\n');
}

function renderSummary(summary: ExpireDocument): string {
  const { collected, retained_backups: backups, retained_wal_objects: wal, retained_until: until } = summary;
  const locked =
    until === null
      ? ''
      : `\nKept until their locks end, the last at ${formatTime(new Date(until))}: ${formatCount(backups.length, 'backup or dump', 'backups or dumps')} and ${formatCount(wal, 'WAL object')}.`;
  const removed = `Removed ${formatCount(summary.removed_backups.length, 'backup')}, ${formatCount(summary.removed_dumps.length, 'dump')}, ${formatBytes(summary.removed_wal_bytes)} of WAL`;
  if (collected === null) return `${removed}. No packs were collected: ${summary.not_collected}.${locked}`;
  const waiting =
    collected.packs_waiting === 0
      ? ''
      : `\n${formatBytes(collected.bytes_waiting)} in ${formatCount(collected.packs_waiting, 'pack')} wait for ${collected.waiting_for.join(' and ')}. Next: run spillway expire again then.`;
  return `${removed}, and ${formatBytes(collected.bytes_removed)} in ${formatCount(collected.packs_removed, 'pack')}.${locked}${waiting}`;
}
