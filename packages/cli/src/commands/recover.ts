// `spillway storage recover`: what somebody hid or overwrote comes back from the versions that the bucket keeps. What is lost
// is a result: it is told, and the exit code is 13.

import { exitCodes, type RecoverDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { locationOf } from '../location.ts';
import { loadFor, openConfigured } from '../session.ts';
import { refuseConfirm } from '../ui/confirm.ts';
import type { Colours } from '../ui/colour.ts';
import { formatCount, formatDuration, formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface RecoverCommandOptions {
  readonly dryRun?: boolean;
  readonly confirm?: string;
}

const SHOWN_MAX = 50;

export const recover: Command<RecoverCommandOptions> = async (context, { dryRun, confirm }) => {
  refuseConfirm(confirm);
  const loaded = await loadFor(context);
  const document: RecoverDocument = await engine.recover({
    location: await locationOf(context, loaded, context.options.repository),
    open: () => openConfigured(context, loaded),
    dryRun: dryRun === true,
    signal: context.signal,
    report: context.output.report,
  });
  context.output.result(document, (colours) => renderRecovered(document, colours));
  return document.objects.some(({ outcome }) => outcome === 'lost') ? exitCodes.damaged : exitCodes.ok;
};

export function renderRecovered(document: RecoverDocument, colours: Colours): string {
  const { objects, dry_run: dry } = document;
  const words = {
    recovered: colours.green(dry ? 'can be recovered' : 'recovered'),
    lost: colours.red('LOST'),
    left: colours.yellow('left: it may have been revoked'),
  } as const;
  const of = (outcome: keyof typeof words): number => objects.filter((each) => each.outcome === outcome).length;
  const table = renderTable(
    [{ title: 'OBJECT' }, { title: 'WAS' }, { title: 'AT' }, { title: '' }],
    objects
      .slice(0, SHOWN_MAX)
      .map(({ object, how, at, outcome, problem }) => [
        object,
        how,
        formatTime(new Date(at)),
        `${words[outcome]}${problem === null ? '' : `: ${problem}`}`,
      ]),
  );
  const parts = [
    ...(objects.length === 0 ? [] : [table]),
    ...(objects.length > SHOWN_MAX ? [`and ${objects.length - SHOWN_MAX} more; all of them with --json`] : []),
    objects.length === 0
      ? `Looked at ${formatCount(document.looked_at, 'object')} at ${document.place} in ${formatDuration(document.duration_seconds)}: nobody hid or overwrote any.`
      : `${formatCount(objects.length, 'object')} hidden or overwritten at ${document.place}: ${of('recovered')} ${dry ? 'can be recovered' : 'recovered'}, ${of('left')} left, ${of('lost')} lost.`,
    ...(document.reindexed_packs === 0
      ? []
      : [
          `${formatCount(document.reindexed_packs, 'pack')} that no index object named any more ${dry ? 'can be' : 'were'} named again.`,
        ]),
    ...(objects.length === 0 && document.reindexed_packs === 0
      ? []
      : [dry ? 'Nothing was done (--dry-run).' : 'Next: spillway verify --all']),
  ];
  return parts.join('\n\n');
}
