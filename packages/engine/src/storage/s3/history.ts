// What a bucket with versions keeps of objects that were removed or overwritten.
//
// Nothing here changes anything. A version is named by the server; a delete marker is one without bytes.

import type { Readable } from 'node:stream';
import { isName, type ObjectHistory, type ObjectName, type ObjectVersion, type S3Location } from '../port.ts';
import { collect } from './body.ts';
import type { S3Requests } from './requests.ts';

interface From {
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string;
}

export class S3History implements ObjectHistory {
  readonly #location: S3Location;
  readonly #requests: S3Requests;
  readonly #at: (name: ObjectName) => { readonly Bucket: string; readonly Key: string };

  constructor(location: S3Location, requests: S3Requests, at: (name: ObjectName) => { Bucket: string; Key: string }) {
    this.#location = location;
    this.#requests = requests;
    this.#at = at;
  }

  async *versions(prefix: string, options: { signal?: AbortSignal } = {}): AsyncIterable<ObjectVersion> {
    const { bucket, prefix: root } = this.#location;
    const before = root === '' ? '' : `${root}/`;
    for (let from: From | undefined = {}; from !== undefined; ) {
      const input = { Bucket: bucket, Prefix: before + prefix, ...from };
      const page = await this.#requests.call(
        { doing: `listing versions of ${prefix || '/'}` },
        options.signal,
        async ({ sdk, client, abortSignal }) => {
          this.#requests.shared.count('list_requests');
          return client.send(new sdk.ListObjectVersionsCommand(input), { abortSignal });
        },
      );
      const found = [
        ...(page.Versions ?? []).map((each) => ({ ...each, isMarker: false })),
        ...(page.DeleteMarkers ?? []).map((each) => ({ ...each, isMarker: true, Size: 0, ETag: undefined })),
      ].map(
        ({ Key = '', VersionId = '', Size = 0, IsLatest = false, LastModified, ETag, isMarker }): ObjectVersion => ({
          name: Key.slice(before.length),
          version: VersionId,
          bytes: Size,
          isLatest: IsLatest,
          isMarker,
          at: LastModified ?? new Date(0),
          content: ETag,
        }),
      );
      for (const each of found.toSorted(byNameNewestFirst)) {
        options.signal?.throwIfAborted();
        if (isName(each.name)) yield each;
      }
      from = nextOf(page);
    }
  }

  async get(name: ObjectName, version: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const input = { ...this.#at(name), VersionId: version };
    const doing = { doing: `reading a version of ${name}`, wanted: name };
    return this.#requests.call(doing, options.signal, async ({ sdk, client, abortSignal, deadline, pace }) => {
      this.#requests.shared.count('get_requests');
      const answer = await client.send(new sdk.GetObjectCommand(input), { abortSignal });
      deadline.allow(answer.ContentLength ?? 0);
      const body = await collect(answer.Body as Readable, answer.ContentLength, pace?.take);
      this.#requests.shared.count('received_bytes', body.byteLength);
      return body;
    });
  }
}

/** Undefined after the last page. */
function nextOf(page: {
  readonly IsTruncated?: boolean | undefined;
  readonly NextKeyMarker?: string | undefined;
  readonly NextVersionIdMarker?: string | undefined;
}): From | undefined {
  const { IsTruncated: more, NextKeyMarker: key, NextVersionIdMarker: version } = page;
  if (more !== true || key === undefined) return undefined;
  return { KeyMarker: key, ...(version !== undefined && { VersionIdMarker: version }) };
}

/** The server gives versions and markers of a page apart. */
function byNameNewestFirst(a: ObjectVersion, b: ObjectVersion): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.isLatest !== b.isLatest) return a.isLatest ? -1 : 1;
  return b.at.getTime() - a.at.getTime();
}
