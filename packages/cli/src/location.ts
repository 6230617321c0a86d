// From the configuration to where the repository is: a folder, or a bucket with its secrets fetched.

import { readFile } from 'node:fs/promises';
import {
  type CopyConfiguration,
  formatS3Url,
  nearest,
  parseS3Url,
  type S3Configuration,
  type SecretSource,
  SpillwayError,
} from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/configuration';
import type { StorageLocation } from '@spillway/engine';
import type { LoadedConfiguration } from './configuration/load.ts';
import { resolveSecret } from './configuration/secrets.ts';
import type { Context } from './context.ts';

/** Undefined for the first place. Throws SPW_PLACE_UNKNOWN. */
export function copyConfiguration(
  { configuration }: LoadedConfiguration,
  place: string,
): CopyConfiguration | undefined {
  if (place === FIRST_PLACE) return undefined;
  const { copies } = configuration;
  const found = Object.hasOwn(copies, place) ? copies[place] : undefined;
  if (found !== undefined) return found;
  const names = [FIRST_PLACE, ...Object.keys(copies)];
  const meant = nearest(place, names);
  throw new SpillwayError('SPW_PLACE_UNKNOWN', `no place of the repository is called ${place}`, {
    why: `there are ${names.join(', ')}`,
    ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
  });
}

const settingsPath = (place: string): readonly string[] => (place === FIRST_PLACE ? [FIRST_PLACE] : ['copies', place]);

/** The folder's absolute path, or the bucket's URL. Throws SPW_PLACE_UNKNOWN. */
export function placeOf(loaded: LoadedConfiguration, place: string = FIRST_PLACE): string {
  const { path } = copyConfiguration(loaded, place) ?? loaded.configuration.repository;
  const url = parseS3Url(path);
  return url === undefined ? loaded.resolvePath([...settingsPath(place), 'path'], path) : formatS3Url(url);
}

/** Where a place is: the first, or a copy by its name. Throws SPW_PLACE_UNKNOWN. */
export async function locationOf(
  context: Context,
  loaded: LoadedConfiguration,
  place: string = FIRST_PLACE,
): Promise<StorageLocation> {
  const { path, s3 } = copyConfiguration(loaded, place) ?? loaded.configuration.repository;
  const url = parseS3Url(path);
  if (s3 === undefined || url === undefined) return { kind: 'filesystem', path: placeOf(loaded, place) };
  const at = [...settingsPath(place), 's3'];
  const credentials = await credentialsOf(context, loaded, at, s3);
  const rootCertificate = await certificateOf(context, loaded, at, s3);
  const storageClasses = Object.entries(s3.storage_class ?? {}).filter(([, value]) => value !== undefined);
  return {
    kind: 's3',
    ...url,
    ...(s3.region !== undefined && { region: s3.region }),
    ...(s3.endpoint !== undefined && { endpoint: s3.endpoint }),
    ...(s3.path_style !== undefined && { pathStyle: s3.path_style }),
    ...(credentials !== undefined && { credentials }),
    ...(rootCertificate !== undefined && { rootCertificate }),
    ...(s3.encryption === 'sse-s3' && { encryption: { kind: 'sse-s3' as const } }),
    ...(s3.encryption === 'sse-kms' && {
      encryption: { kind: 'sse-kms' as const, ...(s3.kms_key !== undefined && { keyId: s3.kms_key }) },
    }),
    ...(s3.immutable !== undefined && { objectLock: { mode: s3.immutable.mode, forMs: s3.immutable.for } }),
    ...(s3.replication !== undefined && {
      replication: {
        bucketArn: s3.replication.to,
        roleArn: s3.replication.role,
        lagMs: s3.replication.lag,
        ...(s3.replication.kms_key !== undefined && { kmsKeyId: s3.replication.kms_key }),
      },
    }),
    ...(storageClasses.length > 0 && { storageClasses: Object.fromEntries(storageClasses) }),
    ...(s3.bandwidth_limit !== undefined && { bandwidthLimit: s3.bandwidth_limit }),
    parallelRequests: s3.parallel_requests,
    connectTimeoutMs: s3.connect_timeout,
    requestTimeoutMs: s3.request_timeout,
    retryBudgetMs: s3.retry_budget,
  };
}

async function credentialsOf(
  context: Context,
  loaded: LoadedConfiguration,
  at: readonly string[],
  s3: S3Configuration,
): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined> {
  const { access_key_id: id, secret_access_key: key, session_token: token } = s3;
  if (id === undefined || key === undefined) return undefined;
  const reveal = async (what: string, setting: string, source: SecretSource): Promise<string> => {
    const secret = await resolveSecret(what, source, {
      environment: context.environment,
      resolvePath: (file) => loaded.resolvePath([...at, setting, 'file'], file),
      warn: context.output.warn,
      signal: context.signal,
    });
    return secret.reveal();
  };
  return {
    accessKeyId: await reveal('access key of the bucket', 'access_key_id', id),
    secretAccessKey: await reveal('secret access key of the bucket', 'secret_access_key', key),
    ...(token !== undefined && {
      sessionToken: await reveal('session token of the bucket', 'session_token', token),
    }),
  };
}

async function certificateOf(
  { signal }: Context,
  loaded: LoadedConfiguration,
  at: readonly string[],
  { root_certificate_file: file }: S3Configuration,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const path = loaded.resolvePath([...at, 'root_certificate_file'], file);
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    throw new SpillwayError('SPW_CONFIG_INVALID', `cannot read the certificate ${path}`, { cause: error });
  }
}
