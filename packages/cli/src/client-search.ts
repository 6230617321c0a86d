// Where the client programs of PostgreSQL are looked for: in bin_directory, along PATH, and where Debian puts them.

import { delimiter } from 'node:path';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';

export function clientSearch(
  context: Context,
  { configuration, resolvePath }: LoadedConfiguration,
  cluster: string,
): { readonly binDirectory?: string; readonly searchPath: readonly string[] } {
  const folder = Object.hasOwn(configuration.clusters, cluster)
    ? configuration.clusters[cluster]?.bin_directory
    : undefined;
  return {
    searchPath: (context.environment['PATH'] ?? '').split(delimiter).filter((each) => each !== ''),
    ...(folder === undefined ? {} : { binDirectory: resolvePath(['clusters', cluster, 'bin_directory'], folder) }),
  };
}
