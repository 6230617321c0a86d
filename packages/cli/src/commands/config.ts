// `spillway config check`, `config show` and `config schema`: is the configuration right, and what is in force, from where.
// Secrets are never fetched here: what is shown is where each would come from.

import type {
  ClusterConfiguration,
  ConfigCheckDocument,
  ConfigShowDocument,
  Milliseconds,
  S3Configuration,
  SecretSource,
} from '@spillway/contract';
import { formatDurationSetting } from '@spillway/contract';
import { configurationSchema } from '@spillway/contract/configuration';
import type { LoadedConfiguration } from '../configuration/load.ts';
import type { Command } from '../context.ts';
import { placeOf } from '../location.ts';
import { defaultWorkers, loadFor } from '../session.ts';
import { renderTable } from '../ui/table.ts';

export const check: Command<object> = async (context) => {
  const { file, configuration } = await loadFor(context);
  const document: ConfigCheckDocument = { file, valid: true, clusters: Object.keys(configuration.clusters) };
  context.output.result(
    document,
    () =>
      `${file ?? 'The configuration from the environment'} is valid. Clusters: ${document.clusters.join(', ') || 'none'}.`,
  );
  return 0;
};

export const show: Command<object> = async (context) => {
  const document = settingsShown(await loadFor(context));
  context.output.result(document, () =>
    renderTable(
      [{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM' }],
      document.settings.map(({ path, value, origin }) => [path, String(value), origin]),
    ),
  );
  return 0;
};

/** Every setting in force, without secrets. */
export const settingsShown = (loaded: LoadedConfiguration): ConfigShowDocument => ({
  file: loaded.file,
  settings: [...settingsOf(loaded)].map(({ path, value }) => ({
    path: path.join('.'),
    value,
    origin: loaded.originOf(path),
  })),
});

/** For an editor: `# yaml-language-server: $schema=spillway.schema.json` at the head of the file. */
export const schema: Command<object> = async ({ output }) => {
  const document = configurationSchema();
  output.result(document, () => JSON.stringify(document, undefined, 2));
  return 0;
};

interface Setting {
  readonly path: readonly string[];
  readonly value: string | number;
}

function* settingsOf(loaded: LoadedConfiguration): Generator<Setting> {
  const { repository, copies, copy_policy: policyOfCopies, clusters } = loaded.configuration;
  yield { path: ['repository', 'path'], value: placeOf(loaded) };
  yield* bucketSettings(['repository', 's3'], repository.s3);
  yield* secret(['repository', 'passphrase'], repository.passphrase);
  yield* secret(['repository', 'recovery_key'], repository.recovery_key);
  for (const [key, value] of Object.entries(repository.kms ?? {})) {
    if (value !== undefined) yield { path: ['repository', 'kms', key], value };
  }
  yield { path: ['repository', 'recovery_key_check'], value: formatDurationSetting(repository.recovery_key_check) };
  if (Object.keys(copies).length > 0) yield { path: ['copy_policy'], value: policyOfCopies };
  for (const [name, { passphrase, recovery_key: key, s3, mounted, policy, retention }] of Object.entries(copies)) {
    const at = ['copies', name];
    yield { path: [...at, 'path'], value: placeOf(loaded, name) };
    yield* bucketSettings([...at, 's3'], s3);
    yield* secret([...at, 'passphrase'], passphrase);
    yield* secret([...at, 'recovery_key'], key);
    yield { path: [...at, 'mounted'], value: mounted };
    yield { path: [...at, 'policy'], value: policy };
    yield* retentionSettings(at, retention);
  }
  yield* serviceSettings(loaded);
  yield* notificationSettings(loaded);
  for (const [name, cluster] of Object.entries(clusters)) {
    const {
      connection,
      data_directory: data,
      bin_directory: bin,
      scratch_directory: scratch,
      wal,
      backup,
      retention,
      objectives,
      canary,
      schedules,
    } = cluster;
    const at = ['clusters', name];
    const { password, ssl_root_certificate_file: certificate, ...plain } = connection;
    for (const [key, value] of Object.entries(plain)) yield { path: [...at, 'connection', key], value };
    yield* secret([...at, 'connection', 'password'], password);
    if (certificate !== undefined)
      yield { path: [...at, 'connection', 'ssl_root_certificate_file'], value: certificate };
    yield { path: [...at, 'data_directory'], value: data ?? 'asked from the server' };
    if (bin !== undefined) yield { path: [...at, 'bin_directory'], value: bin };
    if (scratch !== undefined) yield { path: [...at, 'scratch_directory'], value: scratch };
    yield { path: [...at, 'wal', 'slot'], value: wal.slot };
    yield { path: [...at, 'wal', 'flush_interval'], value: formatDurationSetting(wal.flush_interval) };
    for (const [key, value] of Object.entries(wal)) {
      if (key === 'slot' || key === 'flush_interval' || value === undefined) continue;
      yield { path: [...at, 'wal', key], value: String(value) };
    }
    yield { path: [...at, 'backup', 'workers'], value: backup.workers ?? defaultWorkers() };
    yield { path: [...at, 'backup', 'source'], value: backup.source };
    yield { path: [...at, 'backup', 'compression_level'], value: backup.compression_level };
    yield { path: [...at, 'backup', 'wal_timeout'], value: formatDurationSetting(backup.wal_timeout) };
    yield* retentionSettings(at, retention);
    yield* durations([...at, 'objectives'], objectives);
    if (canary !== undefined) {
      yield* durations([...at, 'canary'], { interval: canary.interval });
      const { state_directory: notes } = canary;
      if (notes !== undefined) yield { path: [...at, 'canary', 'state_directory'], value: notes };
    }
    for (const [key, value] of Object.entries(schedules)) {
      if (value === undefined) continue;
      const told = SCHEDULE_DURATIONS.has(key)
        ? formatDurationSetting(value as Milliseconds)
        : String(value ?? 'never');
      yield { path: [...at, 'schedules', key], value: told };
    }
  }
}

function* retentionSettings(
  at: readonly string[],
  retention: ClusterConfiguration['retention'] | undefined,
): Generator<Setting> {
  const { point_in_time, grace, ...rules } = retention ?? {};
  for (const [rule, value] of Object.entries(rules)) {
    if (value !== undefined) yield { path: [...at, 'retention', rule], value };
  }
  yield* durations([...at, 'retention'], { point_in_time, grace });
}

function* durations(
  at: readonly string[],
  settings: Readonly<Record<string, Milliseconds | undefined>>,
): Generator<Setting> {
  for (const [key, value] of Object.entries(settings)) {
    if (value !== undefined) yield { path: [...at, key], value: formatDurationSetting(value) };
  }
}

const SCHEDULE_DURATIONS = new Set(['jitter', 'timeout', 'backoff']);

function* serviceSettings({ configuration: { service } }: LoadedConfiguration): Generator<Setting> {
  const { tls, oidc, file_directories: folders, approval_within, keep_jobs, session, metrics, ...plain } = service;
  for (const [key, value] of Object.entries(plain)) {
    if (value !== undefined) yield { path: ['service', key], value: String(value) };
  }
  for (const [key, value] of Object.entries({ approval_within, keep_jobs, session })) {
    yield { path: ['service', key], value: formatDurationSetting(value) };
  }
  yield { path: ['service', 'metrics', 'interval'], value: formatDurationSetting(metrics.interval) };
  yield { path: ['service', 'metrics', 'open'], value: String(metrics.open) };
  if (metrics.storage_floor !== undefined) {
    yield { path: ['service', 'metrics', 'storage_floor'], value: metrics.storage_floor };
  }
  for (const [key, value] of Object.entries(tls ?? {})) yield { path: ['service', 'tls', key], value };
  if (oidc !== undefined) {
    const { client_secret: clientSecret, roles, ...rest } = oidc;
    for (const [key, value] of Object.entries(rest)) yield { path: ['service', 'oidc', key], value };
    yield* secret(['service', 'oidc', 'client_secret'], clientSecret);
    for (const [role, groups] of Object.entries(roles)) {
      yield { path: ['service', 'oidc', 'roles', role], value: groups.join(', ') };
    }
  }
  if (folders.length > 0) yield { path: ['service', 'file_directories'], value: folders.join(', ') };
}

function* notificationSettings({ configuration: { notifications } }: LoadedConfiguration): Generator<Setting> {
  const { channels, group_for, repeat_after, quiet_hours: quiet, runbooks } = notifications;
  // Whoever has no channel is told nothing, however often.
  if (Object.keys(channels).length === 0) return;
  for (const [key, value] of Object.entries({ group_for, repeat_after })) {
    yield { path: ['notifications', key], value: formatDurationSetting(value) };
  }
  for (const [key, value] of Object.entries(quiet ?? {})) {
    yield { path: ['notifications', 'quiet_hours', key], value: listed(value) };
  }
  if (runbooks !== undefined) yield { path: ['notifications', 'runbooks'], value: runbooks };
  for (const [name, channel] of Object.entries(channels)) {
    for (const [key, value] of Object.entries(channel)) {
      const path = ['notifications', 'channels', name, key];
      if (isSecretSource(value)) yield* secret(path, value);
      else if (value !== undefined) yield { path, value: listed(value) };
    }
  }
}

type ChannelValue = string | number | boolean | readonly string[] | SecretSource;

const isSecretSource = (value: ChannelValue | undefined): value is SecretSource =>
  typeof value === 'object' && 'kind' in value;
const listed = (value: Exclude<ChannelValue, SecretSource>): string =>
  typeof value === 'object' ? value.join(', ') : String(value);

function* bucketSettings(at: readonly string[], s3: S3Configuration | undefined): Generator<Setting> {
  if (s3 === undefined) return;
  const { access_key_id: id, secret_access_key: key, session_token: token, storage_class: classes, ...rest } = s3;
  const {
    immutable,
    replication,
    prices,
    bandwidth_limit: bandwidth,
    connect_timeout,
    request_timeout,
    retry_budget,
    ...plain
  } = rest;
  yield* secret([...at, 'access_key_id'], id);
  yield* secret([...at, 'secret_access_key'], key);
  yield* secret([...at, 'session_token'], token);
  for (const [name, value] of Object.entries({ ...plain, bandwidth_limit: bandwidth && `${bandwidth} B/s` })) {
    if (value !== undefined) yield { path: [...at, name], value: String(value) };
  }
  for (const [name, value] of Object.entries(replication ?? {})) {
    if (value === undefined) continue;
    const told = typeof value === 'number' ? formatDurationSetting(value) : value;
    yield { path: [...at, 'replication', name], value: told };
  }
  for (const [name, value] of Object.entries({ connect_timeout, request_timeout, retry_budget })) {
    yield { path: [...at, name], value: formatDurationSetting(value) };
  }
  if (immutable !== undefined) {
    yield { path: [...at, 'immutable', 'mode'], value: immutable.mode };
    yield { path: [...at, 'immutable', 'for'], value: formatDurationSetting(immutable.for) };
  }
  for (const [group, values] of Object.entries({ storage_class: classes ?? {}, prices })) {
    for (const [name, value] of Object.entries(values)) {
      if (value !== undefined) yield { path: [...at, group, name], value: String(value) };
    }
  }
}

/** A command may have a secret among its words, so it is not shown. */
function* secret(path: readonly string[], source: SecretSource | undefined): Generator<Setting> {
  if (source === undefined) return;
  const value =
    source.kind === 'file' ? `file ${source.file}` : source.kind === 'env' ? `variable ${source.variable}` : 'command';
  yield { path, value };
}
