// `spillway storage tier`: moves packs to a class for what is seldom read, where that pays, and shows the reckoning.

import { exitCodes, parseDuration, SpillwayError, type TierDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { copyConfiguration } from '../location.ts';
import { loadFor, openConfigured, retentionAt } from '../session.ts';
import { formatBytes } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface TierCommandOptions {
  readonly dryRun?: boolean;
  readonly after?: string;
  readonly class: string;
  readonly reads: number;
}

export const tier: Command<TierCommandOptions> = async (context, options) => {
  const { after, dryRun = false } = options;
  const afterMs = after === undefined ? engine.TIER_AFTER_MS : parseDuration(after);
  if (afterMs === undefined) {
    throw new SpillwayError('SPW_USAGE', `--after ${after} is not understood`, {
      why: 'it must be a duration with its unit (ms, s, min, h, d), such as 7d',
    });
  }
  const loaded = await loadFor(context);
  const { configuration } = loaded;
  const place = context.options.repository;
  const bucket = (place === undefined ? undefined : copyConfiguration(loaded, place)) ?? configuration.repository;
  const { prices } = bucket.s3 ?? {};
  if (prices === undefined) {
    throw new SpillwayError('SPW_USAGE', 'nothing was moved', {
      why: 'the repository is in a folder, which has no storage classes',
      hint: 'name a place in a bucket with --repository',
    });
  }
  const keepDays = new Map<string, number>();
  for (const cluster of Object.keys(configuration.clusters)) {
    const days = retentionAt(loaded, place, cluster)?.keep_days;
    if (days !== undefined) keepDays.set(cluster, days);
  }
  if (keepDays.size === 0) {
    throw new SpillwayError('SPW_USAGE', 'nothing was moved', {
      why: 'no cluster has retention.keep_days, so nobody knows how long its backups stay',
      hint: 'set clusters.<name>.retention.keep_days',
    });
  }
  const summary: TierDocument = await engine.tier({
    repository: await openConfigured(context, loaded),
    keepDays,
    afterMs,
    storageClass: options.class,
    readsPerMonth: options.reads,
    prices: {
      standardGibMonth: prices.standard_gib_month,
      infrequentGibMonth: prices.infrequent_gib_month,
      infrequentReadGib: prices.infrequent_read_gib,
      infrequentPutPer1000: prices.infrequent_put_1000,
    },
    dryRun,
    now: new Date(),
    signal: context.signal,
    report: context.output.report,
  });
  context.output.result(summary, () => renderTier(summary, options.reads));
  return exitCodes.ok;
};

export function renderTier({ storage_class: to, dry_run: dry, groups }: TierDocument, reads: number): string {
  const words = {
    moved: dry ? `to move to ${to}` : `moved to ${to}`,
    there: 'not in STANDARD',
    young: 'not old enough',
    passing: 'not needed by the newest backups',
    'does-not-pay': 'would cost more there',
  } as const;
  const usd = (amount: number): string => `$${amount.toFixed(4)}`;
  const known = new Set(['moved', 'does-not-pay']);
  const table = renderTable(
    [
      { title: 'PACKS' },
      { title: 'NUMBER', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'IN STANDARD', align: 'right' },
      { title: `IN ${to}`, align: 'right' },
    ],
    groups.map(({ group, packs, bytes, stay_usd: stay, move_usd: move }) => [
      words[group],
      String(packs),
      formatBytes(bytes),
      known.has(group) ? usd(stay) : '-',
      known.has(group) ? usd(move) : '-',
    ]),
  );
  const how = `Reckoned for as long as the retention keeps them at least, read ${reads} times a month, the move and its least 30 days included.`;
  return `${table}\n\n${how}${dry ? '\n\nNothing was done (--dry-run).' : ''}`;
}
