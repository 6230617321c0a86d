// A store in an S3 bucket: each object an object there.
//
// 1. An object is made by one PutObject with `If-None-Match: *`: of two writers one wins, and nothing is overwritten. Never by
//    parts: their completion is not conditional on every server, and no object here needs them (decision 16).
// 2. The SHA-256 of the body is part of the signature, so a body that was changed on the way is refused. AWS keeps it too.
// 3. A put whose answer was lost is sent again and may meet its own object. Each put leaves a random word beside its object,
//    so that the second answer, "taken", can be told apart from another writer's.
// 4. S3 answers 404 to a question for the head of an object whether the object or the bucket is missing, so the bucket is
//    asked too: a bucket that is gone never looks like an empty one.

import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { PutObjectCommandInput, StorageClass } from '@aws-sdk/client-s3';
import { formatS3Url, SpillwayError } from '@spillway/contract';
import { isLasting, kindOfName } from '../../format/names.ts';
import {
  ASIDE,
  assertName,
  type ByteRange,
  isName,
  type ObjectHistory,
  type ObjectLock,
  type ObjectName,
  type ObjectStat,
  type S3Location,
  type Storage,
  type StorageClasses,
} from '../port.ts';
import { bodyOf, bytesOf, collect, digestOf } from './body.ts';
import { S3StorageClasses } from './classes.ts';
import { isAws } from './client.ts';
import { S3History } from './history.ts';
import { lockOfNew, retained, S3ObjectLock } from './object-lock.ts';
import { classify, type FailureKind, NO_OBJECT_LOCK, perhapsDone } from './failure.ts';
import { type Attempt, S3Requests, type S3Surroundings } from './requests.ts';

/** In the object's metadata: which put made it. */
const MADE_BY = 'spillway-put';

export class S3Storage implements Storage {
  readonly description: string;
  readonly lock?: ObjectLock;
  readonly history?: ObjectHistory;
  readonly classes?: StorageClasses;
  readonly #requests: S3Requests;
  readonly #location: S3Location;

  constructor(location: S3Location, surroundings: S3Surroundings) {
    this.#location = location;
    this.#requests = new S3Requests(location, surroundings);
    this.description = formatS3Url(location);
    if (location.objectLock !== undefined) {
      this.lock = new S3ObjectLock(location.objectLock, this.#requests, (name) => this.#at(name));
      this.history = new S3History(location, this.#requests, (name) => this.#at(name));
    } else {
      this.classes = new S3StorageClasses(location, this.#requests, (name) => this.#at(name), this.#encryption());
    }
  }

  async get(name: ObjectName, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const at = this.#at(name);
    const { range, signal } = options;
    if (range !== undefined && range.bytes <= 0) return new Uint8Array();
    const wanted = range && { Range: `bytes=${range.offset}-${range.offset + range.bytes - 1}` };
    return this.#requests.call({ doing: `reading ${name}`, wanted: name }, signal, async (attempt) => {
      const { sdk, client, abortSignal, deadline, pace } = attempt;
      this.#requests.shared.count('get_requests');
      try {
        const answer = await client.send(new sdk.GetObjectCommand({ ...at, ...wanted }), { abortSignal });
        const length = answer.ContentLength;
        deadline.allow(length ?? range?.bytes ?? 0);
        const body = await collect(answer.Body as Readable, length, pace?.take);
        this.#requests.shared.count('received_bytes', body.byteLength);
        return body;
      } catch (error) {
        if (is(error, 'past-end') && range !== undefined) return new Uint8Array();
        throw error;
      }
    });
  }

  async put(
    name: ObjectName,
    parts: readonly Uint8Array[],
    options: { signal?: AbortSignal } = {},
  ): Promise<'created' | 'exists'> {
    const at = this.#at(name);
    const digest = digestOf(parts);
    const madeBy = randomBytes(12).toString('base64url');
    let perhapsOurs = false;
    return this.#requests.call({ doing: `writing ${name}` }, options.signal, async (attempt) => {
      try {
        await this.#send(attempt, name, parts, digest, { IfNoneMatch: '*', Metadata: { [MADE_BY]: madeBy } });
        return 'created';
      } catch (error) {
        const failure = classify(error);
        if (failure.kind === 'taken') {
          return perhapsOurs && (await this.#madeBy(attempt, at)) === madeBy ? 'created' : 'exists';
        }
        perhapsOurs ||= perhapsDone(failure);
        throw error;
      }
    });
  }

  async *list(prefix: string, options: { signal?: AbortSignal } = {}): AsyncIterable<ObjectStat> {
    const { bucket, prefix: root } = this.#location;
    const before = root === '' ? '' : `${root}/`;
    let token: string | undefined;
    do {
      const page = await this.#requests.call(
        { doing: `listing ${prefix || '/'}` },
        options.signal,
        async ({ sdk, client, abortSignal }) => {
          this.#requests.shared.count('list_requests');
          const input = {
            Bucket: bucket,
            Prefix: before + prefix,
            ...(token !== undefined && { ContinuationToken: token }),
          };
          return client.send(new sdk.ListObjectsV2Command(input), { abortSignal });
        },
      );
      for (const { Key: key = '', Size: bytes = 0 } of page.Contents ?? []) {
        options.signal?.throwIfAborted();
        const name = key.slice(before.length);
        // What others put below the prefix, and the empty objects that stand for folders, are none of ours.
        if (isName(name)) yield { name, bytes };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async stat(name: ObjectName, options: { signal?: AbortSignal } = {}): Promise<ObjectStat | undefined> {
    const at = this.#at(name);
    return this.#requests.call({ doing: `looking at ${name}` }, options.signal, async (attempt) => {
      const { sdk, client, abortSignal } = attempt;
      this.#requests.shared.count('get_requests');
      try {
        const { ContentLength: bytes = 0 } = await client.send(new sdk.HeadObjectCommand(at), { abortSignal });
        return { name, bytes };
      } catch (error) {
        if (!is(error, 'missing')) throw error;
        this.#requests.shared.count('get_requests');
        await client.send(new sdk.HeadBucketCommand({ Bucket: at.Bucket }), { abortSignal }).catch((cause: unknown) => {
          if (!is(cause, 'missing')) throw cause;
          throw Object.assign(new Error('there is no such bucket', { cause }), { code: 'NoSuchBucket' });
        });
        return undefined;
      }
    });
  }

  async remove(name: ObjectName, options: { signal?: AbortSignal; hide?: boolean } = {}): Promise<void> {
    const at = { ...this.#at(name), ...(await this.#versionToRemove(name, options)) };
    await this.#requests.call({ doing: `removing ${name}` }, options.signal, async ({ sdk, client, abortSignal }) => {
      this.#requests.shared.count('delete_requests');
      try {
        await client.send(new sdk.DeleteObjectCommand(at), { abortSignal });
      } catch (error) {
        const { code } = classify(error);
        if (code === 'AccessDenied') throw removalRefused(name, this.description, error);
        // Where servers say so at all: AWS calls it a success.
        if (code !== 'NoSuchKey') throw error;
      }
    });
  }

  /** The damaged object is copied to `.damaged/` first, by the server itself. */
  async replace(name: ObjectName, parts: readonly Uint8Array[], options: { signal?: AbortSignal } = {}): Promise<void> {
    const at = this.#at(name);
    const digest = digestOf(parts);
    const { bucket, prefix } = this.#location;
    const own = `${ASIDE}/${name.replaceAll('/', '_')}-${randomBytes(6).toString('hex')}`;
    const aside = prefix === '' ? own : `${prefix}/${own}`;
    await this.#requests.call({ doing: `mending ${name}` }, options.signal, async ({ sdk, client, abortSignal }) => {
      const source = `${bucket}/${at.Key}`.split('/').map(encodeURIComponent).join('/');
      this.#requests.shared.count('put_requests');
      try {
        await client.send(
          new sdk.CopyObjectCommand({ Bucket: bucket, Key: aside, CopySource: source, ...this.#encryption() }),
          { abortSignal },
        );
      } catch (error) {
        // What is missing is mended too, and then nothing is to be kept.
        if (!is(error, 'missing')) throw error;
      }
    });
    await this.#requests.call({ doing: `mending ${name}` }, options.signal, (attempt) =>
      this.#send(attempt, name, parts, digest, {}),
    );
  }

  async #send(
    { sdk, client, abortSignal, deadline, pace }: Attempt,
    name: ObjectName,
    parts: readonly Uint8Array[],
    digest: ReturnType<typeof digestOf>,
    condition: Partial<PutObjectCommandInput>,
  ): Promise<void> {
    const bytes = bytesOf(parts);
    const body = bodyOf(parts, pace);
    const command = new sdk.PutObjectCommand({
      ...this.#at(name),
      ContentLength: bytes,
      ContentType: 'application/octet-stream',
      ...condition,
      ...(isAws(this.#location) && { ChecksumSHA256: digest.base64 }),
      ...this.#keeping(name),
      Body: body,
    });
    command.middlewareStack.add(
      (next) => async (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = digest.hex;
        return await next(args);
      },
      { step: 'build', name: 'spillwayPayloadHash' },
    );
    deadline.allow(bytes);
    this.#requests.shared.count('put_requests');
    this.#requests.shared.count('sent_bytes', bytes);
    try {
      await client.send(command, { abortSignal });
    } catch (error) {
      // The code says no more than that the request was wrong.
      const lockRefused = this.lock !== undefined && classify(error).code === 'InvalidRequest';
      throw lockRefused ? Object.assign(new Error('', { cause: error }), { code: NO_OBJECT_LOCK }) : error;
    } finally {
      if (!Buffer.isBuffer(body)) body.destroy();
    }
  }

  /**
   * Where objects are locked the bucket keeps versions: the one that is seen is removed, and nothing stays behind. What is
   * locked and may be hidden, or is not ours to lock, gets a marker instead.
   */
  async #versionToRemove(
    name: ObjectName,
    { signal, hide }: { signal?: AbortSignal; hide?: boolean },
  ): Promise<{ readonly VersionId?: string }> {
    if (this.lock === undefined) return {};
    const found = await this.#requests.call({ doing: `looking at ${name}` }, signal, async (attempt) => {
      const { sdk, client, abortSignal } = attempt;
      this.#requests.shared.count('get_requests');
      try {
        return await client.send(new sdk.HeadObjectCommand(this.#at(name)), { abortSignal });
      } catch (error) {
        if (!is(error, 'missing')) throw error;
        return undefined;
      }
    });
    const until = found?.ObjectLockRetainUntilDate;
    if (until !== undefined && until.getTime() > Date.now()) {
      if (hide === true || !isLasting(name)) return {};
      throw retained(name, this.description, until);
    }
    return found?.VersionId === undefined ? {} : { VersionId: found.VersionId };
  }

  #at(name: ObjectName): { readonly Bucket: string; readonly Key: string } {
    assertName(name);
    const { bucket, prefix } = this.#location;
    return { Bucket: bucket, Key: prefix === '' ? name : `${prefix}/${name}` };
  }

  /** Encryption and storage class of a new object. */
  #keeping(name: ObjectName): Partial<PutObjectCommandInput> {
    const { storageClasses, objectLock } = this.#location;
    const kind = kindOfName(name);
    const storageClass = kind === undefined ? undefined : storageClasses?.[kind];
    return {
      ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
      ...(objectLock !== undefined && isLasting(name) && lockOfNew(objectLock)),
      ...this.#encryption(),
    };
  }

  #encryption(): Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId' | 'BucketKeyEnabled'> {
    const { encryption } = this.#location;
    return {
      ...(encryption?.kind === 'sse-s3' && { ServerSideEncryption: 'AES256' as const }),
      ...(encryption?.kind === 'sse-kms' && {
        ServerSideEncryption: 'aws:kms' as const,
        ...(encryption.keyId !== undefined && { SSEKMSKeyId: encryption.keyId }),
        // One key of the bucket for many objects: a hundredth of the requests to KMS.
        ...(isAws(this.#location) && { BucketKeyEnabled: true }),
      }),
    };
  }

  async #madeBy(
    { sdk, client, abortSignal }: Attempt,
    at: { readonly Bucket: string; readonly Key: string },
  ): Promise<string | undefined> {
    this.#requests.shared.count('get_requests');
    return (await client.send(new sdk.HeadObjectCommand(at), { abortSignal })).Metadata?.[MADE_BY];
  }
}

const removalRefused = (name: ObjectName, place: string, cause: unknown): SpillwayError =>
  new SpillwayError('SPW_REMOVAL_REFUSED', `these credentials may not remove ${name} from the repository at ${place}`, {
    cause,
  });

const is = (error: unknown, kind: FailureKind): boolean => classify(error).kind === kind;
