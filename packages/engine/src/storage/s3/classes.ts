// Storage classes of a bucket: in which one an object is, and moving it to another.
//
// S3 moves an object by copying it onto itself: readers find the one or the other, whole. Where the bucket keeps versions the
// one before is removed by its version, or it would be paid for as well; without the right to do that a lifecycle rule does.

import type { StorageClass } from '@aws-sdk/client-s3';
import { isName, type ObjectName, type ObjectStat, type S3Location, type StorageClasses } from '../port.ts';
import { classify } from './failure.ts';
import type { S3Requests } from './requests.ts';

export class S3StorageClasses implements StorageClasses {
  readonly #location: S3Location;
  readonly #requests: S3Requests;
  readonly #at: (name: ObjectName) => { readonly Bucket: string; readonly Key: string };
  /** Of new objects, which a copy is. */
  readonly #encryption: object;

  constructor(
    location: S3Location,
    requests: S3Requests,
    at: (name: ObjectName) => { Bucket: string; Key: string },
    encryption: object,
  ) {
    this.#location = location;
    this.#requests = requests;
    this.#at = at;
    this.#encryption = encryption;
  }

  async *list(
    prefix: string,
    options: { signal?: AbortSignal } = {},
  ): AsyncIterable<ObjectStat & { readonly at: Date; readonly storageClass: string }> {
    const { bucket, prefix: root } = this.#location;
    const before = root === '' ? '' : `${root}/`;
    let token: string | undefined;
    do {
      const input = {
        Bucket: bucket,
        Prefix: before + prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      };
      const page = await this.#requests.call(
        { doing: `listing ${prefix || '/'}` },
        options.signal,
        async ({ sdk, client, abortSignal }) => {
          this.#requests.shared.count('list_requests');
          return client.send(new sdk.ListObjectsV2Command(input), { abortSignal });
        },
      );
      for (const { Key = '', Size = 0, LastModified, StorageClass: given } of page.Contents ?? []) {
        const name = Key.slice(before.length);
        if (!isName(name)) continue;
        yield { name, bytes: Size, at: LastModified ?? new Date(), storageClass: given ?? 'STANDARD' };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async move(name: ObjectName, storageClass: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const at = this.#at(name);
    const source = `${at.Bucket}/${at.Key}`.split('/').map(encodeURIComponent).join('/');
    const input = {
      ...at,
      CopySource: source,
      StorageClass: storageClass as StorageClass,
      MetadataDirective: 'COPY' as const,
      ...this.#encryption,
    };
    await this.#requests.call({ doing: `moving ${name}` }, options.signal, async ({ sdk, client, abortSignal }) => {
      try {
        this.#requests.shared.count('get_requests');
        const { VersionId: old } = await client.send(new sdk.HeadObjectCommand(at), { abortSignal });
        this.#requests.shared.count('put_requests');
        await client.send(new sdk.CopyObjectCommand(input), { abortSignal });
        if (old === undefined || old === 'null') return;
        this.#requests.shared.count('delete_requests');
        await client.send(new sdk.DeleteObjectCommand({ ...at, VersionId: old }), { abortSignal });
      } catch (error) {
        const { kind, code } = classify(error);
        // Removed since it was listed; or the version before may not be removed.
        if (kind !== 'missing' && !(code === 'AccessDenied' && (await this.#isIn(name, storageClass)))) throw error;
      }
    });
  }

  async #isIn(name: ObjectName, storageClass: string): Promise<boolean> {
    for await (const found of this.list(name)) if (found.name === name) return found.storageClass === storageClass;
    return false;
  }
}
