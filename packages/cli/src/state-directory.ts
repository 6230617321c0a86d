// Where this machine keeps what it noted: `canary.state_directory`, else where the user's state belongs (XDG), else, for
// root and accounts without a home, /var/lib/spillway.

import { join } from 'node:path';
import { canaryFile } from '@spillway/engine';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';

const SYSTEM = '/var/lib/spillway';

export function stateDirectory(
  { environment }: Pick<Context, 'environment'>,
  loaded: LoadedConfiguration,
  cluster: string,
  isRoot = process.getuid?.() === 0,
): string {
  const { clusters } = loaded.configuration;
  const configured = Object.hasOwn(clusters, cluster) ? clusters[cluster]?.canary?.state_directory : undefined;
  if (configured !== undefined)
    return loaded.resolvePath(['clusters', cluster, 'canary', 'state_directory'], configured);
  const { XDG_STATE_HOME: state, HOME: home } = environment;
  if (state !== undefined && state.startsWith('/')) return join(state, 'spillway');
  return isRoot || home === undefined || home === '' ? SYSTEM : join(home, '.local', 'state', 'spillway');
}

/** The file in which the newest canaries of a cluster stand. */
export const canaryFileOf = (
  context: Pick<Context, 'environment'>,
  loaded: LoadedConfiguration,
  cluster: string,
  repositoryId: string,
): string => canaryFile(stateDirectory(context, loaded, cluster), repositoryId, cluster);
