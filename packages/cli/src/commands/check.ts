// `spillway check`: every probe that tells whether backup, WAL and restore will work, each with what to do.
// A repository that cannot be opened or a server that does not answer is a failed probe, not the end of the table.

import { SpillwayError, type CheckDocument, type Probe } from '@spillway/contract';
import type { Command, Context } from '../context.ts';
import * as engine from '@spillway/engine';
import type { Repository } from '@spillway/engine';
import { placesToLookAt } from '../places.ts';
import { clusterName, clusterSource, loadFor, openConfigured } from '../session.ts';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Colours } from '../ui/colour.ts';
import { renderTable } from '../ui/table.ts';

export interface CheckOptions {
  readonly nagios?: boolean;
  readonly source: 'local' | 'stream';
}

export const check: Command<CheckOptions> = async (context, { nagios, source }) => {
  if (nagios !== true) {
    const document = await examine(context, source);
    context.output.result(document, (colours) => renderCheck(document, colours));
    return document.status === 'failed' ? 1 : 0;
  }
  try {
    const document = await examine(context, source);
    context.output.result(document, () => nagiosLine(document));
    return { ok: 0, warning: 1, failed: 2 }[document.status];
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
    // A plugin says on stdout what it cannot tell.
    const probe = failed('configuration', error);
    const document: CheckDocument = { status: 'failed', probes: [probe] };
    context.output.result(document, () => `SPILLWAY UNKNOWN - ${plain(probe.message)}`);
    return 3;
  }
};

/** `SPILLWAY CRITICAL - WAL: … | failed=2 warnings=1`. */
export function nagiosLine({ status, probes }: CheckDocument): string {
  const count = (wanted: Probe['status']): number => probes.filter((probe) => probe.status === wanted).length;
  const word = { ok: 'OK', warning: 'WARNING', failed: 'CRITICAL' }[status];
  const first = probes.find((probe) => probe.status === status && status !== 'ok');
  const told = first === undefined ? `${probes.length} probes` : plain(`${first.name}: ${first.message}`);
  return `SPILLWAY ${word} - ${told} | failed=${count('failed')} warnings=${count('warning')}`;
}

/** The bar parts what is said from the numbers, and a plugin says one line. */
const plain = (text: string): string => text.replaceAll(/[|\n]/g, ' ');

async function examine(context: Context, source: CheckOptions['source']): Promise<CheckDocument> {
  const loaded = await loadFor(context);
  const name = clusterName(context, loaded.configuration);
  const probes: Probe[] = [
    { name: 'configuration', status: 'ok', message: loaded.file ?? 'from the environment' },
    ...(await probeAll(context, loaded, name, source)),
  ];
  return { status: worst(probes), probes };
}

async function probeAll(
  context: Context,
  loaded: LoadedConfiguration,
  name: string,
  source: CheckOptions['source'],
): Promise<Probe[]> {
  let repository: Repository;
  try {
    repository = await openConfigured(context, loaded);
  } catch (error) {
    return [
      failed('repository', error),
      { name: 'server', status: 'warning', message: 'not asked: the repository comes first' },
    ];
  }
  try {
    const { settings, ...cluster } = await clusterSource(context, loaded, name);
    const { slot } = settings.wal;
    const recoveryKeyCheckMs = loaded.configuration.repository.recovery_key_check;
    const { places, failures } = await placesToLookAt(context, loaded, name);
    const { signal } = context;
    const canaryIntervalMs = settings.canary?.interval ?? null;
    const asked = { repository, cluster, slot, source, canaryIntervalMs, recoveryKeyCheckMs, places, signal };
    return [...(await engine.checkCluster(asked)), ...failures.map(({ error }) => failed('copy', error))];
  } catch (error) {
    return [failed('server', error)];
  }
}

/** Throws again what is no SpillwayError, and the stop by a signal. */
function failed(name: string, error: unknown): Probe {
  if (!(error instanceof SpillwayError) || error.code === 'SPW_INTERRUPTED') throw error;
  const message = error.why === undefined ? error.message : `${error.message}: ${error.why}`;
  return { name, status: 'failed', message: `${message} [${error.code}]`, hint: error.hint };
}

const worst = (probes: readonly Probe[]): Probe['status'] =>
  probes.some(({ status }) => status === 'failed')
    ? 'failed'
    : probes.some(({ status }) => status === 'warning')
      ? 'warning'
      : 'ok';

export function renderCheck({ probes }: CheckDocument, colours: Colours): string {
  const words = { ok: colours.green('OK'), warning: colours.yellow('WARN'), failed: colours.red('FAIL') } as const;
  const table = renderTable(
    [{ title: 'PROBE' }, { title: 'STATE' }, { title: 'FOUND' }],
    probes.map((probe) => [probe.name, words[probe.status], probe.message]),
  );
  const hints = probes
    .filter((probe) => probe.status !== 'ok' && probe.hint !== undefined)
    .map((probe) => `${probe.name}: ${probe.hint}`);
  return hints.length === 0 ? table : `${table}\n\nTo do:\n  ${hints.join('\n  ')}`;
}
