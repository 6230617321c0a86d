// `spillway repair`: mends one place of the repository from the others. What no place has whole is a result: it is told,
// with what it hurts, and the exit code is 13.

import { exitCodes, SpillwayError, type RepairDocument } from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/configuration';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { locationOf } from '../location.ts';
import { defaultWorkers, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/format.ts';

export interface RepairCommandOptions {
  readonly from?: string;
  readonly workers?: number;
  readonly dryRun?: boolean;
}

const SHOWN_MAX = 50;

export const repair: Command<RepairCommandOptions> = async (context, options, ...objects) => {
  const loaded = await loadFor(context);
  const place = context.options.repository ?? FIRST_PLACE;
  const names = [FIRST_PLACE, ...Object.keys(loaded.configuration.copies)].filter((name) => name !== place);
  const asked = options.from === undefined ? names : [options.from];
  if (options.from === place || asked.length === 0) {
    throw new SpillwayError('SPW_USAGE', `${place} cannot be mended from itself`, {
      why: names.length === 0 ? 'no copies are configured' : `there are ${names.join(', ')}`,
      hint: 'name another place with --from',
    });
  }
  const repository = await openConfigured(context, loaded, place);
  const document: RepairDocument = await engine.repair({
    repository,
    others: await Promise.all(
      asked.map(async (name) => ({
        name,
        repository: new engine.Repository({ ...repository.handle, location: await locationOf(context, loaded, name) }),
      })),
    ),
    ...(objects.length === 0 ? {} : { objects }),
    dryRun: options.dryRun === true,
    workers: options.workers ?? defaultWorkers(),
    signal: context.signal,
    report: context.output.report,
  });
  context.output.result(document, (colours) => renderRepair(document, colours));
  return document.objects.some(({ outcome }) => outcome === 'lost') ? exitCodes.damaged : exitCodes.ok;
};

export function renderRepair(document: RepairDocument, colours: Colours): string {
  const { objects, hurt, silent, dry_run: dry } = document;
  const words = { mended: colours.green(dry ? 'can be mended' : 'mended'), lost: colours.red('LOST') } as const;
  const lines = objects
    .slice(0, SHOWN_MAX)
    .map(
      ({ object, problem, outcome, from }) =>
        `${words[outcome]}  ${object}: ${problem}${from === null ? '' : `; whole at ${from}`}`,
    );
  if (objects.length > SHOWN_MAX) lines.push(`and ${objects.length - SHOWN_MAX} more; all of them with --json`);
  if (lines.length > 0) lines.push('');
  lines.push(
    `Looked at ${formatCount(document.looked_at, 'object')}, ${formatBytes(document.bytes)}, at ${document.place} in ${formatDuration(document.duration_seconds)}: ${
      objects.length === 0 ? 'none is damaged' : `${objects.length} damaged`
    }.`,
    ...silent.map((name) => `${name} did not answer.`),
  );
  if (hurt.length > 0)
    lines.push(`${colours.red('HURT')}: ${hurt.map(shortId).join(', ')}. Next: spillway backup --type full`);
  else if (objects.length > 0) lines.push(dry ? 'Nothing was done (--dry-run).' : 'Next: spillway verify');
  return lines.join('\n');
}
