// From the configuration to what every scratch cluster needs: the repository, opened for reading, the login, the folder,
// and how its server fetches WAL. What for and to which moment, the command adds.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Repository, ScratchOptions } from '@spillway/engine';
import { clientSearch } from './client-search.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { buildRestoreCommand } from './restore-command.ts';
import { clusterSource, defaultWorkers, openForReading } from './session.ts';

/** Everything but `target` and `purpose`. */
export type ScratchGround = Omit<ScratchOptions, 'target' | 'purpose'>;

/** Opens the repository where none is given. Throws SPW_CLUSTER_UNKNOWN for a cluster without a connection. */
export async function scratchGround(
  context: Context,
  loaded: LoadedConfiguration,
  cluster: string,
  opened?: { readonly repository: Repository; readonly place: string | undefined },
): Promise<ScratchGround> {
  const { settings, connection } = await clusterSource(context, loaded, cluster);
  const { repository, place } = opened ?? (await openForReading(context, loaded));
  return {
    repository,
    cluster,
    connection,
    folder: scratchFolder(loaded, cluster),
    ...clientSearch(context, loaded, cluster),
    workers: settings.backup.workers ?? defaultWorkers(),
    restoreCommand: buildRestoreCommand({
      node: process.execPath,
      program: context.program,
      configurationFile: loaded.file,
      cluster,
      repository: place,
    }),
    signal: context.signal,
    report: context.output.report,
  };
}

/** Where the scratch clusters of a cluster lie: `scratch_directory`, else `spillway-scratch` in the temporary directory. */
export function scratchFolder({ configuration, resolvePath }: LoadedConfiguration, cluster: string): string {
  const { clusters } = configuration;
  const folder = Object.hasOwn(clusters, cluster) ? clusters[cluster]?.scratch_directory : undefined;
  return folder === undefined
    ? join(tmpdir(), 'spillway-scratch')
    : resolvePath(['clusters', cluster, 'scratch_directory'], folder);
}
