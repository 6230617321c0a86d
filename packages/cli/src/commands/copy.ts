// `spillway copy`: brings other places of the repository up to date. Damage at either side is a result: it is told, the
// rest is copied, and the exit code is 13.

import {
  type CopyDocument,
  type CopySummaryDocument,
  exitCodes,
  isSpillwayError,
  SpillwayError,
} from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/configuration';
import { policyOf } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import { copyConfiguration, locationOf } from '../location.ts';
import { defaultWorkers, loadFor, openConfigured, retentionAt } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatDuration, shortId } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface CopyCommandOptions {
  readonly from?: string;
  readonly backup?: readonly string[];
  readonly workers?: number;
  readonly dryRun?: boolean;
}

const DAMAGE_SHOWN_MAX = 20;

export const copy: Command<CopyCommandOptions> = async (context, options, ...places) => {
  if (context.options.repository !== undefined) {
    throw new SpillwayError('SPW_USAGE', 'copy does not go together with --repository', {
      why: 'it has two places',
      hint: 'spillway copy <place> --from <place>',
    });
  }
  const loaded = await loadFor(context);
  const from = options.from ?? FIRST_PLACE;
  const [named] = places;
  const targets = named === undefined ? mountedPlaces(loaded, from) : [named];
  for (const target of targets) copyConfiguration(loaded, target);
  if (targets.includes(from)) {
    throw new SpillwayError('SPW_USAGE', `the place ${from} cannot be copied to itself`);
  }
  const source = await openConfigured(context, loaded, from);
  const names = await clustersOf(context, loaded, source);
  const document: { places: CopyDocument['places'][number][] } = { places: [] };
  let failure: SpillwayError | undefined;
  for (const place of targets) {
    try {
      const summary = await engine.copy({
        source,
        target: await locationOf(context, loaded, place),
        clusters: names.map((name) => ({ name, policy: policyOf(retentionAt(loaded, place, name)) })),
        ...(options.backup && { named: options.backup }),
        dryRun: options.dryRun === true,
        keySlots: from === FIRST_PLACE ? 'add' : 'name',
        workers: options.workers ?? defaultWorkers(),
        signal: context.signal,
        report: context.output.report,
      });
      document.places.push({ place, summary, error: null });
    } catch (error) {
      const told = withHint(error, place);
      if (!isSpillwayError(told) || told.code === 'SPW_INTERRUPTED' || targets.length === 1) throw told;
      failure ??= told;
      context.output.warn(`${place}: ${told.message}${told.why === undefined ? '' : `: ${told.why}`} [${told.code}]`);
      document.places.push({ place, summary: null, error: { code: told.code, message: told.message } });
    }
  }
  context.output.result(document, (colours) => renderCopies(document, colours));
  const damaged = document.places.some(({ summary }) => summary?.clusters.some(({ damage }) => damage.length > 0));
  return failure?.exitCode ?? (damaged ? exitCodes.damaged : exitCodes.ok);
};

/** Without a name: those that are always there. */
function mountedPlaces({ configuration }: LoadedConfiguration, from: string): readonly string[] {
  const copies = Object.entries(configuration.copies).filter(([name]) => name !== from);
  const mounted = copies.filter(([, { mounted: when }]) => when === 'always').map(([name]) => name);
  if (mounted.length > 0) return mounted;
  throw new SpillwayError('SPW_PLACE_UNKNOWN', 'cannot tell where to copy to', {
    why:
      copies.length === 0
        ? 'no copies are configured'
        : `these are mounted for a copy alone: ${copies.map(([name]) => name).join(', ')}`,
    hint:
      copies.length === 0 ? 'add copies.<name>.path to the configuration' : `name it: spillway copy ${copies[0]?.[0]}`,
  });
}

async function clustersOf(
  context: Context,
  { configuration }: LoadedConfiguration,
  source: engine.Repository,
): Promise<readonly string[]> {
  const { cluster } = context.options;
  const there = await engine.listClusters(source, context.signal);
  if (cluster === undefined) return there;
  if (there.includes(cluster) || Object.hasOwn(configuration.clusters, cluster)) return [cluster];
  throw new SpillwayError('SPW_CLUSTER_UNKNOWN', `the repository holds nothing of a cluster ${cluster}`, {
    why: `it holds ${there.join(', ') || 'none'}`,
  });
}

/** A folder that is not there is never made: it may be that nothing is mounted. */
function withHint(error: unknown, place: string): unknown {
  if (!isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') || place === FIRST_PLACE) return error;
  return new SpillwayError(error.code, error.message, {
    ...(error.why === undefined ? {} : { why: error.why }),
    hint: `see that it is mounted and may be written to; for a new copy make an empty folder at copies.${place}.path first`,
    cause: error,
  });
}

export function renderCopies({ places }: CopyDocument, colours: Colours): string {
  return places
    .map(({ place, summary, error }) =>
      summary === null
        ? `${place}: ${colours.red('FAILED')}, ${error?.message ?? ''}`
        : renderCopy(place, summary, colours),
    )
    .join('\n\n');
}

function renderCopy(place: string, summary: CopySummaryDocument, colours: Colours): string {
  const { clusters, key_slots: slots, dry_run: dry } = summary;
  const of = (outcome: string, items: readonly { readonly outcome: string }[]): string =>
    String(items.filter((each) => each.outcome === outcome).length);
  const rows = clusters.flatMap(({ cluster, backups, dumps, ...moved }) => [
    [cluster, 'backups', of('copied', backups), of('there', backups), of('left', backups), of('failed', backups), ''],
    ...(dumps.length === 0
      ? []
      : [[cluster, 'dumps', of('copied', dumps), of('there', dumps), of('left', dumps), of('failed', dumps), '']]),
    [
      cluster,
      'packs',
      String(moved.packs),
      moved.packs_there === 0 ? '' : String(moved.packs_there),
      '',
      '',
      formatBytes(moved.pack_bytes),
    ],
    [cluster, 'WAL objects', String(moved.wal_objects), '', '', '', formatBytes(moved.wal_bytes)],
    [cluster, 'evidence', String(moved.evidence), '', '', '', ''],
  ]);
  const table = renderTable(
    [
      { title: 'CLUSTER' },
      { title: 'WHAT' },
      { title: dry ? 'MISSING' : 'COPIED', align: 'right' },
      { title: 'THERE', align: 'right' },
      { title: 'NOT KEPT', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'SIZE', align: 'right' },
    ],
    rows,
  );
  const damage = clusters.flatMap((each) => each.damage);
  const bytes = clusters.reduce((sum, each) => sum + each.pack_bytes + each.wal_bytes, 0);
  const lines = [
    `${place}, at ${summary.target}${summary.made ? (dry ? ', where there is no copy yet' : ', a new copy') : ''}`,
    '',
    table,
    '',
    dry
      ? `To be copied: ${formatBytes(bytes)}. Nothing was done (--dry-run).`
      : `Copied ${formatBytes(bytes)} in ${formatDuration(summary.duration_seconds)}.`,
    ...(slots.added.length === 0 ? [] : [`Key slots ${dry ? 'to be added' : 'added'}: ${slots.added.join(', ')}.`]),
    ...slots.left.map((id) => `Key slot ${id} is not at ${place}, and was not added: it may have been revoked there.`),
    ...slots.foreign.map(
      (id) =>
        `Key slot ${id} is at ${place} alone. Where it was revoked: spillway --repository ${place} key remove ${id}`,
    ),
    ...damage
      .slice(0, DAMAGE_SHOWN_MAX)
      .map((each) => `${colours.red('DAMAGED')} at the ${each.place}: ${each.object}: ${each.problem}`),
    ...(damage.length > DAMAGE_SHOWN_MAX
      ? [`and ${damage.length - DAMAGE_SHOWN_MAX} more; all of them with --json`]
      : []),
    ...clusters
      .flatMap(({ backups, dumps }) => [...backups, ...dumps])
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ id }) => `${colours.red('NOT COPIED')} ${shortId(id)}: something that it needs is damaged`),
  ];
  return lines.join('\n');
}
