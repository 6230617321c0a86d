// `spillway verify`: whether what is stored can be had back. Damage is a result: it is told in full, and the exit code is 13.
//
// Each level is a use case of the engine of its own; all of them give one document.

import { randomBytes } from 'node:crypto';
import { exitCodes, parseDuration, SpillwayError, type VerifyDocument } from '@spillway/contract';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import * as engine from '@spillway/engine';
import { clientSearch } from '../client-search.ts';
import { scratchGround } from '../scratch.ts';
import { clusterName, defaultWorkers, loadFor, openConfigured } from '../session.ts';
import { renderStats, statsOf, type StatsOptions } from '../stats.ts';
import { parseTarget, type TargetOptions } from '../target.ts';
import { renderVerification } from '../ui/verification.ts';

const DAY_MS = 86_400_000;
const SAMPLE_DAYS_MAX = 366;
const SEED_BYTES = 4;

export interface VerifyCommandOptions extends StatsOptions, TargetOptions {
  readonly all?: boolean;
  readonly level: VerifyDocument['level'];
  readonly sample?: string;
  readonly workers?: number;
  readonly check?: readonly string[];
  readonly seed?: string;
}

export const verify: Command<VerifyCommandOptions> = async (context, options, ...ids) => {
  refuseStray(options, ids);
  if (options.sample !== undefined) parseWindow(options.sample);
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const document = await LEVELS[options.level]({ context, options, ids, loaded, cluster, repository });
  const stats = statsOf(options, loaded, repository);
  context.output.result(
    { ...document, ...stats },
    (colours) => renderVerification(document, colours) + renderStats(stats),
  );
  return document.result === 'passed' ? exitCodes.ok : exitCodes.damaged;
};

interface Asked {
  readonly context: Context;
  readonly options: VerifyCommandOptions;
  readonly ids: readonly string[];
  readonly loaded: LoadedConfiguration;
  readonly cluster: string;
  readonly repository: engine.Repository;
}

const workersOf = ({ loaded, cluster, options }: Asked): number => {
  const { clusters } = loaded.configuration;
  const settings = Object.hasOwn(clusters, cluster) ? clusters[cluster] : undefined;
  return options.workers ?? settings?.backup.workers ?? defaultWorkers();
};

const common = (asked: Asked) => ({
  repository: asked.repository,
  cluster: asked.cluster,
  ids: asked.ids,
  all: asked.options.all === true,
  workers: workersOf(asked),
  signal: asked.context.signal,
  report: asked.context.output.report,
});

async function read(asked: Asked, level: 'structure' | 'data'): Promise<VerifyDocument> {
  const { sample } = asked.options;
  return engine.verify({
    ...common(asked),
    level,
    ...(sample === undefined ? {} : { sampleDays: parseWindow(sample) }),
  });
}

const LEVELS: Readonly<Record<VerifyDocument['level'], (asked: Asked) => Promise<VerifyDocument>>> = {
  structure: (asked) => read(asked, 'structure'),
  data: (asked) => read(asked, 'data'),
  wal: (asked) => engine.verifyWal(common(asked)),
  dump: (asked) =>
    engine.verifyDumps({ ...common(asked), ...clientSearch(asked.context, asked.loaded, asked.cluster) }),
  restore: restoreAndLook,
};

async function restoreAndLook(asked: Asked): Promise<VerifyDocument> {
  const { context, options, ids, loaded, cluster, repository } = asked;
  const ground = await scratchGround(context, loaded, cluster, { repository, place: context.options.repository });
  const [id] = ids;
  return engine.verifyRestore({
    ...ground,
    workers: workersOf(asked),
    seed: options.seed ?? randomBytes(SEED_BYTES).toString('hex'),
    ...(id === undefined ? {} : { id }),
    ...(hasTarget(options) ? { target: parseTarget(options) } : {}),
    ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
    ...(options.check === undefined ? {} : { checks: options.check }),
  });
}

const hasTarget = ({ at, lsn, xid, name, immediate }: TargetOptions): boolean =>
  [at, lsn, xid, name, immediate].some((given) => given !== undefined);

function parseWindow(text: string): number {
  const days = (parseDuration(text) ?? 0) / DAY_MS;
  if (Number.isInteger(days) && days >= 1 && days <= SAMPLE_DAYS_MAX) return days;
  throw new SpillwayError('SPW_USAGE', `--sample ${text} is not understood`, {
    why: `it must be a number of whole days, from 1d to ${SAMPLE_DAYS_MAX}d`,
    hint: 'for example --sample 7d: a seventh of everything each day',
  });
}

function refuseStray(options: VerifyCommandOptions, ids: readonly string[]): void {
  const { level, all, sample, seed, check, exclusive } = options;
  const refuse = (message: string, why: string): never => {
    throw new SpillwayError('SPW_USAGE', message, { why });
  };
  if (all === true && ids.length > 0) refuse('--all and names of backups do not go together', '--all means every one');
  if (sample !== undefined && level !== 'data') refuse('--sample needs --level data', 'only there everything is read');
  if (sample !== undefined && ids.length > 0)
    refuse('--sample and names of backups do not go together', 'a sample is of everything');
  if (level === 'restore') {
    if (all === true || ids.length > 1) refuse('--level restore looks at one backup', 'each is restored whole');
    if (seed !== undefined && hasTarget(options))
      refuse('--seed and a target do not go together', 'a seed chooses the moment');
    if (exclusive === true && !hasTarget(options)) parseTarget(options);
    return;
  }
  const stray = [
    hasTarget(options) || exclusive === true ? 'a target' : [],
    seed === undefined ? [] : '--seed',
    check === undefined ? [] : '--check',
  ].flat();
  if (stray.length > 0)
    refuse(
      `${stray.join(' and ')} ${stray.length > 1 ? 'go' : 'goes'} with --level restore alone`,
      `level ${level} restores nothing`,
    );
}
