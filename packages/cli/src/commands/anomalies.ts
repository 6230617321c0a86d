// `spillway anomalies`: signs that somebody destroys data or what protects it. An alarm ends with exit code 13, a warning with 3.

import { type AnomaliesDocument, exitCodes } from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/configuration';
import { findAnomalies, openOf, policyOf } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { Command, Context } from '../context.ts';
import type { LoadedConfiguration } from '../configuration/load.ts';
import { locationOf } from '../location.ts';
import { clusterConfiguration, clusterName, clusterSource, loadFor, openConfigured, retentionAt } from '../session.ts';
import type { Colours } from '../ui/colour.ts';
import { formatCount } from '../ui/format.ts';

const SHOWN_MAX = 20;

export interface AnomaliesCommandOptions {
  readonly accept?: boolean;
  /** False with --no-record. */
  readonly record: boolean;
  /** False with --no-source. */
  readonly source: boolean;
}

export const anomalies: Command<AnomaliesCommandOptions> = async (context, options) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  clusterConfiguration(loaded.configuration, cluster);
  const source = options.source ? await clusterSource(context, loaded, cluster) : undefined;
  const repository = await openConfigured(context, loaded);
  const document = await findAnomalies({
    repository,
    cluster,
    places: await protectedPlaces(context, loaded, cluster),
    source: source && { connection: source.connection, slot: source.settings.wal.slot },
    accept: options.accept === true,
    record: options.record,
    now: () => new Date(),
    signal: context.signal,
  });
  context.output.result(document, (colours) => renderAnomalies(document, colours));
  const open = openOf(document.findings);
  if (open.some(({ severity }) => severity === 'alarm')) return exitCodes.damaged;
  return open.length > 0 ? exitCodes.warnings : exitCodes.ok;
};

async function protectedPlaces(
  context: Context,
  loaded: LoadedConfiguration,
  cluster: string,
): Promise<Parameters<typeof findAnomalies>[0]['places']> {
  return Promise.all(
    [FIRST_PLACE, ...Object.keys(loaded.configuration.copies)].map(async (name) => {
      const location = await locationOf(context, loaded, name);
      const retention = retentionAt(loaded, name, cluster);
      const lock = location.kind === 's3' ? location.objectLock : undefined;
      return {
        name,
        retention: { ...policyOf(retention), graceMs: retention?.grace ?? 0 },
        lock: lock && { mode: lock.mode, forMs: lock.forMs },
        readBucket: location.kind === 's3' ? () => engine.planBucket(location, context.signal) : undefined,
      };
    }),
  );
}

export function renderAnomalies(document: AnomaliesDocument, colours: Colours): string {
  const { cluster, backups_judged: judged, findings, not_looked_at: missed, evidence } = document;
  const open = openOf(findings);
  const lines = findings.slice(0, SHOWN_MAX).map(({ severity, message, figures, accepted }) => {
    const word = accepted ? 'accepted' : severity === 'alarm' ? colours.red('ALARM') : colours.yellow('WARN');
    const numbers = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
    return `${word} ${message}\n      ${numbers.join(', ')}`;
  });
  if (findings.length > SHOWN_MAX) lines.push(`and ${findings.length - SHOWN_MAX} more; all of them with --json`);
  for (const { what, why } of missed) lines.push(`Not looked at: ${what} (${why}).`);
  const looked = `Looked at ${formatCount(judged, 'backup')} of ${cluster}`;
  lines.push(
    open.length === 0
      ? `${looked}: nothing to be told.`
      : `${looked}: ${formatCount(open.length, 'sign')}. Next: keep the repository as it is, find out who did that; if it is in order: spillway anomalies --accept`,
  );
  if (evidence !== null) lines.push(`Recorded as ${evidence}.`);
  return lines.join('\n');
}
