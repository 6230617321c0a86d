// Uploads in parts that somebody began below the prefix and never finished: they cost as much as objects, and no list of
// objects shows them. Spillway itself uploads in one piece; these are left by copying programs and older tools.

import type { S3Location } from '../port.ts';
import { SharedState, shareStorage } from '../process-state.ts';
import { classify } from './failure.ts';
import { S3Requests } from './requests.ts';

/** Ends those that began more than `olderThanMs` ago; gives how many there were. */
export async function removeAbandonedUploads(
  location: S3Location,
  olderThanMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const { shared = new SharedArrayBuffer(0) } = shareStorage(location);
  const requests = new S3Requests(location, { shared: new SharedState(shared) });
  const where = { Bucket: location.bucket, Prefix: location.prefix === '' ? '' : `${location.prefix}/` };
  let removed = 0;
  let from: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = from;
    const page = await requests.call({ doing: 'listing abandoned uploads' }, signal, async (attempt) => {
      const { sdk, client, abortSignal } = attempt;
      requests.shared.count('list_requests');
      return client.send(new sdk.ListMultipartUploadsCommand({ ...where, ...marker }), { abortSignal });
    });
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || Initiated === undefined) continue;
      if (Date.now() - Initiated.getTime() < olderThanMs) continue;
      await requests.call({ doing: `ending the abandoned upload of ${Key}` }, signal, async (attempt) => {
        const { sdk, client, abortSignal } = attempt;
        requests.shared.count('delete_requests');
        try {
          const upload = { Bucket: location.bucket, Key, UploadId };
          await client.send(new sdk.AbortMultipartUploadCommand(upload), { abortSignal });
        } catch (error) {
          // Ended by somebody else in the meantime.
          if (classify(error).status !== 404) throw error;
        }
      });
      removed += 1;
    }
    from =
      page.IsTruncated === true
        ? {
            ...(page.NextKeyMarker !== undefined && { KeyMarker: page.NextKeyMarker }),
            ...(page.NextUploadIdMarker !== undefined && { UploadIdMarker: page.NextUploadIdMarker }),
          }
        : undefined;
  }
  return removed;
}
