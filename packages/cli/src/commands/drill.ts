// `spillway drill run`, `list` and `show`. A drill that does not pass is a result: it is told in full, and the exit code is 14.
//
// `run` and `list` put killed drills on record first, so that what was begun and never ended is not forgotten; `list
// --no-record`, which is what the service lets people look with, writes nothing.

import { dirname } from 'node:path';
import {
  type Drill,
  type DrillDocument,
  type DrillsDocument,
  exitCodes,
  isSpillwayError,
  SpillwayError,
} from '@spillway/contract';
import { drillDetailsDocument } from '@spillway/contract/schemas';
import { failuresOf, recordKilled, runDrill as runOne } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command, Context } from '../context.ts';
import { drillNameOf, findDrillFile, listDrillFiles, readDrillFile } from '../drill-file.ts';
import { scratchFolder, scratchGround } from '../scratch.ts';
import { clusterConfiguration, clusterName, loadFor, openConfigured } from '../session.ts';
import { parseTarget } from '../target.ts';
import { renderDrill, renderDrills } from '../ui/drill.ts';

export const runDrill =
  (version: string): Command<object> =>
  async (context, _options, word = '') => {
    const { output, signal, environment } = context;
    const loaded = await loadFor(context);
    const cluster = clusterName(context, loaded.configuration);
    const file = await findDrillFile(context, loaded, word);
    const repository = await openConfigured(context, loaded);
    const place = context.options.repository;
    const ground = await scratchGround(context, loaded, cluster, { repository, place });
    const { record, details, killed } = await runOne({
      ...ground,
      drill: await drillIn(file),
      openScratch: (wish) => engine.openScratch({ ...ground, purpose: 'drill', ...wish }),
      parseTime: (at) => parseTarget({ at }),
      walTimeoutMs: clusterConfiguration(loaded.configuration, cluster).backup.wal_timeout,
      environment,
      directory: dirname(file),
      random: Math.random,
      versions: { spillway: version, node: process.versions.node },
      signal,
      report: output.report,
    });
    warnOfKilled(context, killed);
    return tell(context, record, details);
  };

export const listDrills =
  (version: string): Command<{ readonly record: boolean }> =>
  async (context, { record }) => {
    const loaded = await loadFor(context);
    const cluster = clusterName(context, loaded.configuration);
    const repository = await openConfigured(context, loaded);
    const killed = record
      ? await recordKilled({
          repository,
          cluster,
          folder: scratchFolder(loaded, cluster),
          versions: { spillway: version, node: process.versions.node },
          signal: context.signal,
          report: context.output.report,
        })
      : [];
    warnOfKilled(context, killed);
    const records = await recordsOf(repository, cluster, context.signal);
    const drills = await drillsIn(context, loaded, records);
    const document: DrillsDocument = { cluster, drills, killed: killed.map(({ id }) => id) };
    context.output.result(document, (colours) => renderDrills(document, colours));
    return 0;
  };

export const showDrill: Command<object> = async (context, _options, word) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const repository = await openConfigured(context, loaded);
  const records = await recordsOf(repository, cluster, context.signal);
  const found = records.findLast(
    ({ id, details }) => word === undefined || details.drill === word || id.startsWith(word),
  );
  if (found === undefined) {
    throw new SpillwayError(
      'SPW_DRILL_UNKNOWN',
      `no drill${word === undefined ? '' : ` ${word}`} of ${cluster} is on record`,
      {
        hint: 'spillway drill list names those that are; spillway drill run makes a record',
      },
    );
  }
  tell(context, found, found.details);
  return 0;
};

type DrillDetails = DrillDocument['details'];
type DrillRecord = engine.EvidenceRecord & { readonly details: DrillDetails };

/** Oldest first. Records of another form, as another version may have made them, are left out. */
async function recordsOf(
  repository: engine.Repository,
  cluster: string,
  signal: AbortSignal,
): Promise<readonly DrillRecord[]> {
  const { records } = await engine.listEvidence(repository, cluster, signal);
  return records.flatMap((record) => {
    if (record.kind !== 'drill') return [];
    const details = drillDetailsDocument.safeParse(record.details);
    return details.success ? [{ ...record, details: details.data }] : [];
  });
}

async function drillIn(file: string): Promise<Drill | { readonly name: string; readonly unreadable: string }> {
  try {
    return await readDrillFile(file);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_DRILL_INVALID')) throw error;
    return { name: drillNameOf(file), unreadable: `${error.message}: ${error.why}` };
  }
}

async function drillsIn(
  context: Context,
  loaded: LoadedConfiguration,
  records: readonly DrillRecord[],
): Promise<DrillsDocument['drills']> {
  const byName = new Map(records.map((record) => [record.details.drill, record]));
  const drills: DrillsDocument['drills'][number][] = [];
  const last = (name: string): DrillsDocument['drills'][number]['last'] => {
    const record = byName.get(name);
    byName.delete(name);
    if (record === undefined) return null;
    const { id, result, finished_at, details } = record;
    const { rto_seconds, rpo_seconds, error } = details;
    return { evidence: id, result, finished_at, rto_seconds, rpo_seconds, error };
  };
  for (const file of await listDrillFiles(context, loaded)) {
    const drill = await drillIn(file);
    const problem = 'unreadable' in drill ? drill.unreadable : null;
    drills.push({ drill: drill.name, file, problem, last: last(drill.name) });
  }
  for (const name of byName.keys()) drills.push({ drill: name, file: null, problem: null, last: last(name) });
  return drills;
}

function tell({ output }: Context, record: engine.EvidenceRecord, details: DrillDetails): number {
  const document: DrillDocument = {
    cluster: record.cluster,
    result: record.result,
    evidence: record.id,
    object: engine.evidenceObjectName(record),
    started_at: record.started_at,
    finished_at: record.finished_at,
    failures: failuresOf(details),
    details,
  };
  output.result(document, (colours) => renderDrill(document, colours));
  return record.result === 'passed' ? exitCodes.ok : exitCodes.objectiveMissed;
}

function warnOfKilled({ output }: Context, killed: readonly engine.EvidenceRecord[]): void {
  for (const { id, details } of killed) {
    output.warn(`the drill ${String(details['drill'])} was killed before; that is on record as ${id}`);
  }
}
