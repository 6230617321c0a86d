// `spillway hold add`, `list` and `remove`: legal holds. Who held what and why stays in the repository for good.

import { hostname, userInfo } from 'node:os';
import {
  exitCodes,
  isSpillwayError,
  type LegalHoldDocument,
  type LegalHoldsDocument,
  SpillwayError,
} from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { refuseConfirm } from '../ui/confirm.ts';
import { formatTime, shortId } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export interface ReasonOptions {
  readonly reason: string;
}

const REASON_CHARACTERS_MAX = 500;

export const addHold: Command<ReasonOptions> = async (context, { reason }, word = '') => {
  const { repository, cluster } = await open(context);
  const told = { cluster, backup: await findId(context, repository, cluster, word), ...tellingWhy(reason) };
  const hold: LegalHoldDocument = await engine.placeLegalHold(repository, told, {
    signal: context.signal,
    onWait: (why) => context.output.say(`Waiting for an expiry to end: ${why}.`),
  });
  context.output.result(hold, () => `${hold.backup} is on hold: ${hold.reason}`);
  return exitCodes.ok;
};

export const removeHold: Command<ReasonOptions & { readonly confirm?: string }> = async (
  context,
  { reason, confirm },
  word = '',
) => {
  refuseConfirm(confirm);
  const { repository, cluster } = await open(context);
  // Also of a backup that is there no more, or cannot be read: by the holds alone.
  const { active } = await engine.listLegalHolds(repository, cluster, context.signal);
  const matches = [...active.keys()].filter((id) => id.startsWith(word) || id.split('-')[1]?.startsWith(word) === true);
  const [only, ...others] = matches;
  const backup = only !== undefined && others.length === 0 ? only : await findId(context, repository, cluster, word);
  const told = { cluster, backup, ...tellingWhy(reason) };
  const hold: LegalHoldDocument = await engine.releaseLegalHold(repository, told, { signal: context.signal });
  context.output.result(hold, () => `${hold.backup} is not on hold any more: ${hold.reason}`);
  return exitCodes.ok;
};

export const listHolds: Command<{ readonly all?: boolean }> = async (context, { all }) => {
  const { repository, cluster } = await open(context);
  const { active, records, unreadable } = await engine.listLegalHolds(repository, cluster, context.signal);
  const document: LegalHoldsDocument = {
    cluster,
    active: [...active].map(([backup, holds]) => ({ backup, holds })),
    records,
    unreadable,
  };
  for (const { name, why } of unreadable) {
    context.output.warn(`${name} cannot be read, so nothing of ${cluster} expires: ${why}`);
  }
  context.output.result(document, (colours) => renderHolds(document, all === true, colours));
  return unreadable.length === 0 ? exitCodes.ok : exitCodes.damaged;
};

async function open(context: Context): Promise<{ readonly repository: engine.Repository; readonly cluster: string }> {
  const loaded = await loadFor(context);
  return {
    cluster: clusterName(context, loaded.configuration),
    repository: await openConfigured(context, loaded),
  };
}

async function findId(
  { signal }: Context,
  repository: engine.Repository,
  cluster: string,
  id: string,
): Promise<string> {
  try {
    return (await engine.findBackup({ repository, cluster, id, signal })).id;
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_BACKUP_UNKNOWN')) throw error;
    const dumps = await engine.listDumps({ repository, cluster, signal });
    const found = dumps.filter((dump) => dump.id.startsWith(id) || dump.id.split('-')[1]?.startsWith(id) === true);
    if (found[0] === undefined || found.length > 1) throw error;
    return found[0].id;
  }
}

function tellingWhy(reason: string): { readonly reason: string; readonly by: string } {
  const text = reason.trim();
  if (text === '' || text.length > REASON_CHARACTERS_MAX) {
    throw new SpillwayError('SPW_USAGE', 'the reason is not understood', {
      why: text === '' ? 'it is empty' : `it is longer than ${REASON_CHARACTERS_MAX} characters`,
    });
  }
  return { reason: text, by: `${userInfo().username}@${hostname()}` };
}

export function renderHolds({ cluster, active, records }: LegalHoldsDocument, all: boolean, colours: Colours): string {
  const held = new Set(active.flatMap(({ holds }) => holds.map(({ id }) => id)));
  const shown = all ? records : records.filter(({ id }) => held.has(id));
  if (shown.length === 0) return `Nothing of ${cluster} is on hold.`;
  return renderTable(
    [{ title: 'BACKUP' }, { title: 'STATE' }, { title: 'SINCE' }, { title: 'BY' }, { title: 'REASON' }],
    shown.map(({ id, action, backup, at, by, reason }) => [
      shortId(backup),
      action === 'release' ? 'let go' : held.has(id) ? colours.yellow('ON HOLD') : 'ended',
      formatTime(new Date(at)),
      by,
      reason,
    ]),
  );
}
