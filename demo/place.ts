// Where the repository of the story is: a folder beside the rest, or a bucket of a real S3 server that is started for it.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startS3Server } from '@spillway/lab';

export const storages = ['folder', 's3'] as const;

export type StorageKind = (typeof storages)[number];

export interface Place {
  /** Lines of YAML below `repository:`. */
  readonly settings: string;
  readonly told: string;
  /** Undefined where it is a bucket. */
  readonly folder?: string;
}

// JSON strings are YAML strings.
const quoted = (text: string): string => JSON.stringify(text);

export async function makePlace(
  kind: StorageKind,
  folder: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Place> {
  if (kind === 'folder') {
    const path = join(folder, 'repository');
    // A repository's folder that is missing counts as a disk that is not mounted, so `init` does not make it.
    await mkdir(path, { mode: 0o700 });
    return { settings: `path: ${quoted(path)}`, told: 'in a folder', folder: path };
  }
  const server = stack.use(await startS3Server({ signal }));
  const bucket = await server.makeBucket('water-backups');
  const secret = join(folder, 'secret-access-key');
  const id = join(folder, 'access-key-id');
  await writeFile(id, `${server.credentials.accessKeyId}\n`, { mode: 0o600 });
  await writeFile(secret, `${server.credentials.secretAccessKey}\n`, { mode: 0o600 });
  return {
    settings: `path: ${quoted(`s3://${bucket}/prod`)}
  s3:
    endpoint: ${quoted(server.endpoint)}
    access_key_id: { file: ${quoted(id)} }
    secret_access_key: { file: ${quoted(secret)} }`,
    told: `in the bucket ${bucket} of an S3 server at ${server.endpoint}`,
  };
}
