// `spillway storage seal`: makes a repository in a folder append only for the account of the backups. Root runs it, every few
// minutes, on the machine that has the disk.

import { exitCodes, type SealDocument, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { locationOf, placeOf } from '../location.ts';
import { loadFor } from '../session.ts';
import { formatCount } from '../ui/format.ts';

export interface SealOptions {
  readonly dryRun?: boolean;
}

export const seal: Command<SealOptions> = async (context, { dryRun = false }) => {
  const began = performance.now();
  const loaded = await loadFor(context);
  const place = placeOf(loaded, context.options.repository);
  const folder = engine.folderOf(await locationOf(context, loaded, context.options.repository));
  if (folder === undefined) {
    throw new SpillwayError('SPW_USAGE', `${place} is no folder`, {
      why: 'in a bucket object lock does what storage seal does in a folder',
      hint: 'set repository.s3.immutable',
    });
  }
  const { signal } = context;
  const sealed = await engine.sealFolder(folder, { dryRun, signal });
  const document: SealDocument = {
    place,
    dry_run: dryRun,
    ...sealed,
    duration_seconds: (performance.now() - began) / 1000,
  };
  context.output.result(document, () => renderSealed(document));
  return exitCodes.ok;
};

function renderSealed({ place, dry_run: dry, ...of }: SealDocument): string {
  const done = `${formatCount(of.sealed_folders, 'folder')} ${dry ? 'to make' : 'made'} append only, ${formatCount(of.sealed_objects, 'object')} immutable`;
  const all = `of ${formatCount(of.folders, 'folder')} and ${formatCount(of.objects, 'object')} that last at ${place}`;
  return `${done}, ${all}.${dry ? '\n\nNothing was done (--dry-run).' : ''}`;
}
