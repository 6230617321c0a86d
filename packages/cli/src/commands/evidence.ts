// `spillway evidence list` and `evidence export`: what was proven, and how somebody else can see that for himself.
//
// A record that is exported is checked as it leaves, with the public key that whoever gets it will use. It is printed as
// JSON with and without --json: it is made for a file.

import {
  type EvidenceBundleDocument,
  type EvidenceExportDocument,
  type EvidenceListDocument,
  exitCodes,
  SpillwayError,
} from '@spillway/contract';
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

export const exportEvidence: Command<{ readonly all?: boolean }> = async (context, options, word) => {
  if ((options.all === true) === (word !== undefined)) {
    throw new SpillwayError('SPW_USAGE', 'cannot tell what is to be exported', {
      why: word === undefined ? 'neither a record nor --all is named' : 'both a record and --all are named',
      hint: 'spillway evidence list names the records',
    });
  }
  return word === undefined ? exportAll(context) : exportOne(context, word);
};

async function exportOne(context: Context, word: string): Promise<number> {
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
}

/** As they lie there, in the order of the chain. Whoever verifies the bundle sees what is missing or does not verify. */
async function exportAll(context: Context): Promise<number> {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const entries = await engine.readEvidence(repository, cluster, context.signal);
  const document: EvidenceBundleDocument = {
    cluster,
    records: entries.flatMap((entry) => ('exported' in entry ? [entry.exported] : [])),
    unreadable: entries.flatMap((entry) => ('why' in entry ? [entry] : [])),
  };
  for (const { name, why } of document.unreadable) context.output.warn(`${name} is not in the bundle: ${why}`);
  context.output.result(document, () => document.records.map((each) => JSON.stringify(each)).join('\n'));
  return document.unreadable.length === 0 ? exitCodes.ok : exitCodes.damaged;
}

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
    [
      { title: 'NO', align: 'right' },
      { title: 'RECORD' },
      { title: 'FINISHED' },
      { title: 'OF' },
      { title: 'LEVEL' },
      { title: 'RESULT' },
    ],
    records.map(({ sequence, id, kind, finished_at: at, backup, level, result, details }) => [
      String(sequence ?? '-'),
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
  if (kind === 'anomaly') return 'anomalies';
  return kind === 'action' && typeof who === 'string' && typeof action === 'string' ? `${action} by ${who}` : '';
}
