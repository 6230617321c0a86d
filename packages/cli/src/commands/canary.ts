// `spillway canary`: writes canaries until it is stopped, for those whose WAL comes by archive_command. `wal receive` does it
// by itself where the configuration has `canary`.

import type { CanaryDocument } from '@spillway/contract';
import * as engine from '@spillway/engine';
import type { Command } from '../context.ts';
import { clusterName, clusterSource, loadFor, openConfigured } from '../session.ts';
import { canaryFileOf } from '../state-directory.ts';
import { formatCount } from '../ui/format.ts';

const INTERVAL_MS = 5_000;

export const canary: Command<object> = async (context) => {
  const loaded = await loadFor(context);
  const cluster = clusterName(context, loaded.configuration);
  const { settings, connection } = await clusterSource(context, loaded, cluster);
  const repository = await openConfigured(context, loaded);
  const stateFile = canaryFileOf(context, loaded, cluster, repository.id);
  const { written, newest } = await engine.runCanary({
    repository,
    cluster,
    connection,
    intervalMs: settings.canary?.interval ?? INTERVAL_MS,
    stateFile,
    signal: context.signal,
    report: context.output.report,
  });
  const document: CanaryDocument = { cluster, written, newest: newest ?? null, state_file: stateFile };
  context.output.result(document, () => {
    const last = newest === undefined ? '' : `, the last is number ${newest.sequence} of ${newest.written_at}`;
    return `Wrote ${formatCount(written, 'canary', 'canaries')} into ${cluster}${last}.`;
  });
  return 0;
};
