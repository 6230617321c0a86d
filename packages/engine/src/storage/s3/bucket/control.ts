// Reading and changing what a bucket is set to, by S3's own requests.
//
// A setting that is not there is an answer, and so is one that these credentials may not read, or that the server does not
// know. Some servers take the request for a setting that they do not know for another one and answer 200: so whoever
// changes something reads it again afterwards (`operation/bucket.ts`).

import type { S3Location } from '../../port.ts';
import { SharedState, shareStorage } from '../../process-state.ts';
import { classify } from '../failure.ts';
import { type Attempt, S3Requests } from '../requests.ts';
import type { BucketSettings, Change, Read, Replicated } from './settings.ts';

/** Of the newest objects so many are asked how far their replication is. */
const NEWEST = 20;

export class BucketControl {
  readonly #location: S3Location;
  readonly #requests: S3Requests;

  constructor(location: S3Location) {
    this.#location = location;
    const { shared } = shareStorage(location);
    this.#requests = new S3Requests(location, { shared: new SharedState(shared ?? new SharedArrayBuffer(0)) });
  }

  async read(signal?: AbortSignal): Promise<BucketSettings> {
    const at = { Bucket: this.#location.bucket };
    const read = <Value>(
      permission: string,
      absent: Value,
      ask: (attempt: Attempt) => Promise<Value>,
    ): Promise<Read<Value>> => this.#read(permission, absent, ask, signal);
    return {
      versioning: await read('s3:GetBucketVersioning', false, async ({ sdk, client, abortSignal }) => {
        const answer = await client.send(new sdk.GetBucketVersioningCommand(at), { abortSignal });
        return answer.Status === 'Enabled';
      }),
      objectLock: await read('s3:GetBucketObjectLockConfiguration', false, async ({ sdk, client, abortSignal }) => {
        const answer = await client.send(new sdk.GetObjectLockConfigurationCommand(at), { abortSignal });
        return answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
      }),
      publicAccessBlocked: await read('s3:GetBucketPublicAccessBlock', false, async ({ sdk, client, abortSignal }) => {
        const answer = await client.send(new sdk.GetPublicAccessBlockCommand(at), { abortSignal });
        const blocks = answer.PublicAccessBlockConfiguration ?? {};
        return Object.keys(ALL_BLOCKED).every((each) => blocks[each as keyof typeof ALL_BLOCKED] === true);
      }),
      policy: await read('s3:GetBucketPolicy', undefined, async ({ sdk, client, abortSignal }) => {
        return (await client.send(new sdk.GetBucketPolicyCommand(at), { abortSignal })).Policy;
      }),
      encryption: await read('s3:GetEncryptionConfiguration', undefined, async ({ sdk, client, abortSignal }) => {
        const answer = await client.send(new sdk.GetBucketEncryptionCommand(at), { abortSignal });
        const [rule] = answer.ServerSideEncryptionConfiguration?.Rules ?? [];
        const { SSEAlgorithm: algorithm, KMSMasterKeyID: keyId } = rule?.ApplyServerSideEncryptionByDefault ?? {};
        return algorithm === undefined ? undefined : { algorithm, keyId };
      }),
      lifecycle: await read('s3:GetLifecycleConfiguration', [], async ({ sdk, client, abortSignal }) => {
        return (await client.send(new sdk.GetBucketLifecycleConfigurationCommand(at), { abortSignal })).Rules ?? [];
      }),
      replication: await read('s3:GetReplicationConfiguration', undefined, async ({ sdk, client, abortSignal }) => {
        const answer = await client.send(new sdk.GetBucketReplicationCommand(at), { abortSignal });
        return answer.ReplicationConfiguration;
      }),
      ...(this.#location.replication !== undefined && { replicated: await this.#replicated(signal) }),
    };
  }

  async apply(change: Change, signal?: AbortSignal): Promise<void> {
    const at = { Bucket: this.#location.bucket };
    const doing = { doing: `changing the bucket's ${change.aspect}` };
    await this.#requests.call(doing, signal, async ({ sdk, client, abortSignal }) => {
      this.#requests.shared.count('put_requests');
      const send = { abortSignal };
      switch (change.aspect) {
        case 'versioning': {
          const VersioningConfiguration = { Status: 'Enabled' } as const;
          await client.send(new sdk.PutBucketVersioningCommand({ ...at, VersioningConfiguration }), send);
          return;
        }
        case 'object lock': {
          const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled' } as const;
          await client.send(new sdk.PutObjectLockConfigurationCommand({ ...at, ObjectLockConfiguration }), send);
          return;
        }
        case 'public access': {
          const input = { ...at, PublicAccessBlockConfiguration: ALL_BLOCKED };
          await client.send(new sdk.PutPublicAccessBlockCommand(input), send);
          return;
        }
        case 'TLS only':
          await client.send(new sdk.PutBucketPolicyCommand({ ...at, Policy: change.policy }), send);
          return;
        case 'encryption': {
          const { algorithm, keyId } = change.encryption;
          const byDefault = {
            SSEAlgorithm: algorithm as 'AES256' | 'aws:kms',
            ...(keyId !== undefined && { KMSMasterKeyID: keyId }),
          };
          const Rules = [
            {
              ApplyServerSideEncryptionByDefault: byDefault,
              ...(algorithm !== 'AES256' && { BucketKeyEnabled: true }),
            },
          ];
          const input = { ...at, ServerSideEncryptionConfiguration: { Rules } };
          await client.send(new sdk.PutBucketEncryptionCommand(input), send);
          return;
        }
        case 'lifecycle': {
          const input = { ...at, LifecycleConfiguration: { Rules: [...change.rules] } };
          await client.send(new sdk.PutBucketLifecycleConfigurationCommand(input), send);
          return;
        }
        case 'replication': {
          const input = { ...at, ReplicationConfiguration: change.replication };
          await client.send(new sdk.PutBucketReplicationCommand(input), send);
        }
      }
    });
  }

  async #read<Value>(
    permission: string,
    absent: Value,
    ask: (attempt: Attempt) => Promise<Value>,
    signal: AbortSignal | undefined,
  ): Promise<Read<Value>> {
    const doing = { doing: `reading the bucket's settings (${permission})` };
    return this.#requests.call(doing, signal, async (attempt): Promise<Read<Value>> => {
      this.#requests.shared.count('get_requests');
      try {
        return { state: 'known', value: await ask(attempt) };
      } catch (error) {
        const { kind, code, status } = classify(error);
        if (kind === 'no-bucket') throw error;
        if (code === 'AccessDenied') return { state: 'denied', permission };
        if (kind === 'unsupported' || status === 405) return { state: 'unsupported' };
        if (/^NoSuch|NotFound(?:Error)?$/.test(code)) return { state: 'known', value: absent };
        throw error;
      }
    });
  }

  /** By the state that each object has of its own: nothing else says what really is on the other side. */
  async #replicated(signal: AbortSignal | undefined): Promise<Read<Replicated>> {
    const newest = await this.#newest(signal);
    return this.#read<Replicated>(
      's3:GetObject',
      { objects: 0, failed: [], untouched: [] },
      async ({ sdk, client, abortSignal }) => {
        const failed: string[] = [];
        const untouched: string[] = [];
        let pendingSince: Date | undefined;
        for (const Key of newest) {
          this.#requests.shared.count('get_requests');
          const input = { Bucket: this.#location.bucket, Key };
          const head = await client.send(new sdk.HeadObjectCommand(input), { abortSignal }).catch((error: unknown) => {
            // Removed since it was listed.
            if (classify(error).kind !== 'missing') throw error;
          });
          if (head === undefined) continue;
          if (head.ReplicationStatus === 'FAILED') failed.push(Key);
          else if (head.ReplicationStatus === undefined) untouched.push(Key);
          else if (head.ReplicationStatus === 'PENDING' && head.LastModified !== undefined) {
            if (pendingSince === undefined || head.LastModified < pendingSince) pendingSince = head.LastModified;
          }
        }
        return { objects: newest.length, failed, untouched, pendingSince };
      },
      signal,
    );
  }

  /** Keys of the newest objects of clusters: backups, WAL, evidence. */
  async #newest(signal: AbortSignal | undefined): Promise<readonly string[]> {
    const { bucket, prefix } = this.#location;
    let newest: { readonly key: string; readonly at: number }[] = [];
    let token: string | undefined;
    do {
      const page = await this.#requests.call({ doing: 'listing clusters/' }, signal, async (attempt) => {
        const { sdk, client, abortSignal } = attempt;
        this.#requests.shared.count('list_requests');
        const input = {
          Bucket: bucket,
          Prefix: `${prefix === '' ? '' : `${prefix}/`}clusters/`,
          ...(token !== undefined && { ContinuationToken: token }),
        };
        return client.send(new sdk.ListObjectsV2Command(input), { abortSignal });
      });
      const found = (page.Contents ?? []).map(({ Key = '', LastModified }) => ({
        key: Key,
        at: LastModified?.getTime() ?? 0,
      }));
      newest = [...newest, ...found].toSorted((a, b) => b.at - a.at).slice(0, NEWEST);
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return newest.map(({ key }) => key);
  }
}

const ALL_BLOCKED = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
} as const;
