// From the configuration to what the engine works with: the repository, opened, and the cluster, with its password.
//
// The cluster is --cluster, else SPILLWAY_CLUSTER, else the only one configured. On a machine that only restores, a
// configuration without clusters is enough: then the name must be given, and is believed.

import { readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import {
  isSpillwayError,
  nearest,
  SpillwayError,
  type ClusterConfiguration,
  type Configuration,
  type SecretSource,
} from '@spillway/contract';
import { isClusterName } from '@spillway/contract/schemas';
import type { Concealed } from './configuration/concealed.ts';
import { loadConfiguration, type LoadedConfiguration } from './configuration/load.ts';
import { resolveSecret } from './configuration/secrets.ts';
import type { Context } from './context.ts';
import { locationOf } from './location.ts';
import type { ClusterSource, Repository, Secret } from '@spillway/engine';

const WORKERS_MAX = 8;

export const loadFor = (context: Context): Promise<LoadedConfiguration> =>
  loadConfiguration({
    file: context.options.config,
    environment: context.environment,
    directory: context.directory,
  });

/** The name of the cluster that the command is about. Throws SPW_CLUSTER_UNKNOWN. */
export function clusterName(context: Context, configuration: Configuration): string {
  const names = Object.keys(configuration.clusters);
  const named = context.options.cluster ?? (context.environment['SPILLWAY_CLUSTER'] || undefined);
  if (named !== undefined) {
    if (names.includes(named) || (names.length === 0 && isClusterName(named))) return named;
    const meant = nearest(named, names);
    throw new SpillwayError('SPW_CLUSTER_UNKNOWN', `no cluster is called ${named}`, {
      why: `configured: ${names.join(', ') || 'none'}`,
      ...(meant === undefined ? {} : { hint: `did you mean --cluster ${meant}?` }),
    });
  }
  const [only, second] = names;
  if (only !== undefined && second === undefined) return only;
  throw new SpillwayError('SPW_CLUSTER_UNKNOWN', 'cannot tell which cluster is meant', {
    why: names.length === 0 ? 'no cluster is configured' : `configured: ${names.join(', ')}`,
  });
}

/** The settings of the cluster; throws SPW_CLUSTER_UNKNOWN where it has none. */
export function clusterConfiguration(configuration: Configuration, name: string): ClusterConfiguration {
  const found = Object.hasOwn(configuration.clusters, name) ? configuration.clusters[name] : undefined;
  if (found === undefined) {
    throw new SpillwayError('SPW_CLUSTER_UNKNOWN', `the cluster ${name} has no connection`, {
      why: `clusters.${name} is not in the configuration`,
      hint: `add clusters.${name}.connection to the configuration`,
    });
  }
  return found;
}

/** The cluster as the engine wants it, its password fetched. */
export async function clusterSource(
  context: Context,
  loaded: LoadedConfiguration,
  name: string,
): Promise<ClusterSource & { readonly settings: ClusterConfiguration }> {
  const settings = clusterConfiguration(loaded.configuration, name);
  const { host, port, user, database, ssl, password, ssl_root_certificate_file: certificateFile } = settings.connection;
  const at = ['clusters', name];
  const revealed =
    password === undefined
      ? undefined
      : await secretAt(context, loaded, `password of cluster ${name}`, [...at, 'connection', 'password'], password);
  const certificate =
    certificateFile === undefined
      ? undefined
      : await readCertificate(
          loaded.resolvePath([...at, 'connection', 'ssl_root_certificate_file'], certificateFile),
          context.signal,
        );
  return {
    name,
    settings,
    connection: {
      host,
      port,
      user,
      database,
      ssl,
      ...(revealed === undefined ? {} : { password: revealed.reveal() }),
      ...(certificate === undefined ? {} : { sslRootCertificate: certificate }),
    },
    ...(settings.data_directory === undefined
      ? {}
      : { dataDirectory: loaded.resolvePath([...at, 'data_directory'], settings.data_directory) }),
  };
}

/** Opens the repository with the secret that the configuration names. */
export async function openConfigured(context: Context, loaded: LoadedConfiguration): Promise<Repository> {
  const secret = await repositorySecret(context, loaded);
  const { openRepository } = await import('@spillway/engine');
  const location = await locationOf(context, loaded);
  try {
    return await openRepository({ location, secret, signal: context.signal });
  } catch (error) {
    if (
      location.kind === 'filesystem' &&
      isSpillwayError(error, 'SPW_STORAGE_UNREACHABLE') &&
      !(await isFolder(location.path))
    ) {
      throw new SpillwayError('SPW_REPOSITORY_MISSING', `found no repository at ${location.path}`, {
        why: 'there is no such folder',
        hint: 'check the path and that its storage is mounted, or make a repository with: spillway init',
        cause: error,
      });
    }
    throw error;
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The passphrase for a new repository; a recovery key cannot make one. */
export async function passphraseFor(context: Context, loaded: LoadedConfiguration): Promise<Concealed> {
  const { passphrase } = loaded.configuration.repository;
  if (passphrase === undefined) {
    throw new SpillwayError('SPW_CONFIG_INVALID', 'cannot make a repository without a passphrase', {
      why: 'the configuration has repository.recovery_key, which opens a repository but cannot make one',
      hint: 'set repository.passphrase in the configuration',
    });
  }
  return secretAt(context, loaded, 'repository passphrase', ['repository', 'passphrase'], passphrase);
}

export const defaultWorkers = (): number => Math.min(availableParallelism(), WORKERS_MAX);

/** What the configuration opens the repository with. */
export async function repositorySecret(context: Context, loaded: LoadedConfiguration): Promise<Secret> {
  const { recovery_key: recoveryKey } = loaded.configuration.repository;
  if (recoveryKey === undefined) {
    return { kind: 'passphrase', passphrase: (await passphraseFor(context, loaded)).reveal() };
  }
  const key = await secretAt(context, loaded, 'recovery key', ['repository', 'recovery_key'], recoveryKey);
  return { kind: 'recovery-key', recoveryKey: key.reveal() };
}

const secretAt = (
  context: Context,
  loaded: LoadedConfiguration,
  what: string,
  path: readonly string[],
  source: SecretSource,
): Promise<Concealed> =>
  resolveSecret(what, source, {
    environment: context.environment,
    // Only `file` sources are paths; a variable may have set that key alone.
    resolvePath: (file) => loaded.resolvePath([...path, 'file'], file),
    warn: context.output.warn,
    signal: context.signal,
  });

async function readCertificate(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    throw new SpillwayError('SPW_CONFIG_INVALID', `cannot read the certificate ${path}`, { cause: error });
  }
}
