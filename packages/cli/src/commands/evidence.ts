// `spillway evidence list` and `evidence export`: what was proven, and how somebody else can see that for himself.
//
// A record that is exported is checked as it leaves, with the public key that whoever gets it will use. It is printed as
// JSON with and without --json: it is made for a file.

import { type EvidenceExportDocument, type EvidenceListDocument, SpillwayError } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import { clusterName, loadFor, openConfigured } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatTime } from '../ui/format.ts';
import { renderTable } from '../ui/table.ts';

export const listEvidence: Command<object> = async (context) => {
  const { cluster, records, unreadable } = await readEvidence(context);
  const document: EvidenceListDocument = { cluster, records, unreadable };
  for (const { name, why } of unreadable) context.output.warn(`${name} proves nothing: ${why}`);
  context.output.result(document, (colours) => renderEvidence(document, colours));
  return 0;
};

export const exportEvidence: Command<object> = async (context, _options, word = '') => {
  const { cluster, repository, records } = await readEvidence(context);
  const found = records.filter(({ id }) => id.startsWith(word));
  const [record] = found;
  if (record === undefined || found.length > 1) {
    const why = found.length > 1 ? `${found.length} records begin so` : 'no record that verifies begins so';
    throw new SpillwayError('SPW_USAGE', `there is no record ${word} of cluster ${cluster}`, {
      why,
      hint: 'spillway evidence list names them',
    });
  }
  const document: EvidenceExportDocument = await engine.exportEvidence(repository, record, context.signal);
  context.output.result(document, () => JSON.stringify(document));
  return 0;
};

async function readEvidence(
  context: Context,
): Promise<engine.EvidenceList & { readonly cluster: string; readonly repository: engine.Repository }> {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  return { cluster, repository, ...(await engine.listEvidence(repository, cluster, context.signal)) };
}

export function renderEvidence({ cluster, records }: EvidenceListDocument, colours: Colours): string {
  if (records.length === 0) {
    return `There is no evidence of cluster ${cluster} yet. Next: spillway verify`;
  }
  return renderTable(
    [{ title: 'RECORD' }, { title: 'FINISHED' }, { title: 'OF' }, { title: 'LEVEL' }, { title: 'RESULT' }],
    records.map(({ id, kind, finished_at: at, backup, level, result, details }) => [
      id,
      formatTime(new Date(at)),
      backup ?? subjectOf(kind, details),
      level,
      result === 'passed' ? colours.green('passed') : colours.red('FAILED'),
    ]),
  );
}

/** What a record is about that is about no backup. */
function subjectOf(kind: string, details: Readonly<Record<string, unknown>>): string {
  const { slot_kind: slot, who, action } = details;
  if (kind === 'key-check' && typeof slot === 'string') return slot;
  return kind === 'action' && typeof who === 'string' && typeof action === 'string' ? `${action} by ${who}` : '';
}
