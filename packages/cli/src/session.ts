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
import { FIRST_PLACE, isClusterName } from '@spillway/contract/configuration';
import type { Concealed } from './configuration/concealed.ts';
import { loadConfiguration, type LoadedConfiguration } from './configuration/load.ts';
import { resolveSecret } from './configuration/secrets.ts';
import type { Context } from './context.ts';
import { kmsSecret, recoverySecret } from './key-secrets.ts';
import { copyConfiguration, locationOf } from './location.ts';
import type { ClusterSource, Repository, Secret, StorageLocation } from '@spillway/engine';

const WORKERS_MAX = 8;

export async function loadFor(context: Context): Promise<LoadedConfiguration> {
  const begun = ahead.get(context);
  if (begun?.taken !== false) return load(context);
  begun.taken = true;
  return begun.loaded;
}

const load = (context: Context): Promise<LoadedConfiguration> =>
  loadConfiguration({
    file: context.options.config,
    environment: context.environment,
    directory: context.directory,
  });

/** What was begun before the command was loaded (`beginAhead`): each is taken once, by who would have done it. */
const ahead = new WeakMap<
  Context,
  {
    readonly loaded: Promise<LoadedConfiguration>;
    taken: boolean;
    secret?: { readonly place: string; readonly value: Promise<Secret> } | undefined;
  }
>();

/**
 * Reads the configuration and begins to open the repository, for a command whose modules are still to be loaded: stretching
 * the passphrase takes an eighth of a second in another thread. Whatever fails, fails once more where the command does it.
 */
export async function beginAhead(context: Context): Promise<void> {
  const begun: NonNullable<ReturnType<typeof ahead.get>> = { loaded: load(context), taken: false };
  ahead.set(context, begun);
  try {
    const loaded = await begun.loaded;
    const place = context.options.repository ?? FIRST_PLACE;
    const location = await locationOf(context, loaded, place);
    if (location.kind !== 'filesystem') return;
    const value = revealSecret(context, loaded, place);
    begun.secret = { place, value };
    const { openAhead } = await import('@spillway/engine/ahead');
    await openAhead(location, await value, context.signal);
  } catch {
    // The command does the same again, and says it with all that it knows.
  }
}

/** What a place keeps of a cluster: its own retention, or that of the cluster. */
export const retentionAt = (
  loaded: LoadedConfiguration,
  place: string | undefined,
  cluster: string,
): ClusterConfiguration['retention'] | undefined => {
  const { clusters } = loaded.configuration;
  const own = copyConfiguration(loaded, place ?? FIRST_PLACE)?.retention;
  return own ?? (Object.hasOwn(clusters, cluster) ? clusters[cluster]?.retention : undefined);
};

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

/** Opens a place of the repository with the secret that the configuration names; by default that of --repository. */
export async function openConfigured(
  context: Context,
  loaded: LoadedConfiguration,
  place: string = context.options.repository ?? FIRST_PLACE,
): Promise<Repository> {
  const secret = await repositorySecret(context, loaded, place);
  const { openRepository } = await import('@spillway/engine');
  const location = await locationOf(context, loaded, place);
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
        hint: `check the path and that its storage is mounted, or make ${place === FIRST_PLACE ? 'a repository with: spillway init' : `the folder, then: spillway copy ${place}`}`,
        cause: error,
      });
    }
    throw error;
  }
}

export interface OpenForReading {
  readonly repository: Repository;
  /** Its name, where it is not the first place. */
  readonly place: string | undefined;
  /** Places that come before it and did not open. */
  readonly skipped: readonly string[];
}

/**
 * The first place that opens, or the one of --repository, with the others behind it for what it turns out to lack. Where
 * none opens, the error of the first stands.
 */
export async function openForReading(context: Context, loaded: LoadedConfiguration): Promise<OpenForReading> {
  const named = context.options.repository;
  const all = [FIRST_PLACE, ...Object.keys(loaded.configuration.copies)];
  const skipped: string[] = [];
  let first: unknown;
  for (const place of named === undefined ? all : [named]) {
    try {
      const opened = await openConfigured(context, loaded, place);
      const others = await otherPlaces(
        context,
        loaded,
        all.filter((each) => each !== place && !skipped.includes(each)),
      );
      const location = { ...opened.location, others };
      for (const each of skipped) context.output.warn(`the place ${each} cannot be read; ${place} is read instead`);
      const { Repository: OpenRepository } = await import('@spillway/engine');
      return {
        repository: others.length === 0 ? opened : new OpenRepository({ ...opened.handle, location }),
        place: place === FIRST_PLACE ? undefined : place,
        skipped,
      };
    } catch (error) {
      first ??= error;
      if (!isSpillwayError(error, ...CANNOT_BE_READ)) throw error;
      skipped.push(place);
    }
  }
  throw first;
}

/** Those whose secrets can be had: the place that is read needs no other. */
async function otherPlaces(
  context: Context,
  loaded: LoadedConfiguration,
  names: readonly string[],
): Promise<readonly StorageLocation[]> {
  const locations: StorageLocation[] = [];
  for (const name of names) {
    try {
      locations.push(await locationOf(context, loaded, name));
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
      context.output.warn(`the place ${name} is not read from: ${error.message}`);
    }
  }
  return locations;
}

/** Another place may open where one has these. */
const CANNOT_BE_READ = [
  'SPW_STORAGE_UNREACHABLE',
  'SPW_REPOSITORY_MISSING',
  'SPW_OBJECT_DAMAGED',
  'SPW_KEY_WRONG',
  'SPW_SECRET_UNREADABLE',
] as const;

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
      why: 'the configuration has repository.recovery_key or repository.kms, which open a repository but cannot make one',
      hint: 'set repository.passphrase in the configuration',
    });
  }
  return secretAt(context, loaded, 'repository passphrase', ['repository', 'passphrase'], passphrase);
}

export const defaultWorkers = (): number => Math.min(availableParallelism(), WORKERS_MAX);

/** What the configuration opens the place with: a copy has the secrets of the repository, unless it names its own. */
export async function repositorySecret(
  context: Context,
  loaded: LoadedConfiguration,
  place: string = context.options.repository ?? FIRST_PLACE,
): Promise<Secret> {
  const begun = ahead.get(context);
  const secret = begun?.secret;
  if (begun === undefined || secret?.place !== place) return revealSecret(context, loaded, place);
  begun.secret = undefined;
  return secret.value;
}

async function revealSecret(context: Context, loaded: LoadedConfiguration, place: string): Promise<Secret> {
  const copy = copyConfiguration(loaded, place);
  const own = copy?.passphrase !== undefined || copy?.recovery_key !== undefined ? copy : undefined;
  const { passphrase, recovery_key: recoveryKey } = own ?? loaded.configuration.repository;
  const { kms } = loaded.configuration.repository;
  if (own === undefined && kms !== undefined) return kmsSecret(kms);
  const at = own === undefined ? ['repository'] : ['copies', place];
  if (recoveryKey !== undefined) {
    const key = await secretAt(
      context,
      loaded,
      own === undefined ? 'recovery key' : `recovery key of the copy ${place}`,
      [...at, 'recovery_key'],
      recoveryKey,
    );
    return recoverySecret([{ text: key.reveal(), where: [...at, 'recovery_key'].join('.') }]);
  }
  if (own === undefined || passphrase === undefined) {
    return { kind: 'passphrase', passphrase: (await passphraseFor(context, loaded)).reveal() };
  }
  const revealed = await secretAt(
    context,
    loaded,
    `passphrase of the copy ${place}`,
    [...at, 'passphrase'],
    passphrase,
  );
  return { kind: 'passphrase', passphrase: revealed.reveal() };
}

/** Of the service's login; undefined for a client that has none. */
export async function oidcClientSecret(context: Context, loaded: LoadedConfiguration): Promise<Concealed | undefined> {
  const source = loaded.configuration.service.oidc?.client_secret;
  const path = ['service', 'oidc', 'client_secret'];
  return source === undefined ? undefined : secretAt(context, loaded, 'client secret of service.oidc', path, source);
}

export const secretAt = (
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

export async function readCertificate(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    throw new SpillwayError('SPW_CONFIG_INVALID', `cannot read the certificate ${path}`, { cause: error });
  }
}
