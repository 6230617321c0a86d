// Reads the frames of an object one by one, so that an object of any size needs little memory.
//
// 1. What is left of the object is fetched in windows; one that fits into a window is fetched at once. A frame that
//    crosses the end of its window begins the next.
// 2. Where the object ends its length tells, so the last frame is known as the final one, and an object that was cut short
//    is noticed, at its end.
// 3. What is damaged at one place goes on from another, where the repository is read from several.
// 4. Frames between the first, which says what the object is, and those that are wanted are passed over unopened.

import { isSpillwayError } from '@spillway/contract';
import { discard } from '../codec/discard.ts';
import { damaged, FrameOpener } from '../codec/seal.ts';
import { FRAME_HEADER_BYTES, HEAD_BYTES, type ObjectKind, parseFrameHeader } from '../format/object.ts';
import type { ObjectName } from '../storage/port.ts';
import { avoid } from './elsewhere.ts';
import type { Repository } from './repository.ts';

/** An object of 16 MiB that does not compress fits, with its frames' heads. */
const WINDOW_BYTES = 17 * 1024 * 1024;

export interface Frame {
  /** How many plain bytes lie between the first frame and this one; 0 for the first. */
  readonly offset: number;
  /** Whoever takes it owns it. */
  readonly plain: Uint8Array;
}

/**
 * The first frame, then the others without those that hold nothing but the first `skip` plain bytes behind it. `bytes` is
 * the length of the object, as the store tells it.
 */
export async function* readFrames(
  repository: Repository,
  kind: ObjectKind,
  object: { readonly name: ObjectName; readonly bytes: number },
  options: { readonly skip?: number; readonly signal?: AbortSignal } = {},
): AsyncGenerator<Frame, void, undefined> {
  const { signal } = options;
  let from = object;
  let gaveFirst = false;
  /** Up to where frames were given; nothing before it is given again, even where another place has cut it otherwise. */
  let reached: number | undefined;
  for (let failure: unknown; ; ) {
    try {
      const skip = reached ?? options.skip ?? 0;
      for await (const { isFirst, offset, plain } of framesOf(repository, kind, from, { ...options, skip })) {
        if (isFirst) {
          if (!gaveFirst) yield { offset, plain };
          gaveFirst = true;
          continue;
        }
        const again = Math.max(0, (reached ?? 0) - offset);
        if (again > 0 && again >= plain.byteLength) continue;
        reached = offset + plain.byteLength;
        yield { offset: offset + again, plain: plain.subarray(again) };
      }
      return;
    } catch (error) {
      failure ??= error;
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED') || !avoid(repository, object.name)) throw failure;
      const there = await repository.storage.stat(object.name, signal && { signal });
      if (there === undefined) throw failure;
      from = there;
    }
  }
}

async function* framesOf(
  repository: Repository,
  kind: ObjectKind,
  { name, bytes }: { readonly name: ObjectName; readonly bytes: number },
  options: { readonly skip: number; readonly signal?: AbortSignal },
): AsyncGenerator<Frame & { readonly isFirst: boolean }, void, undefined> {
  const { skip, signal } = options;
  let window = new Uint8Array();
  let windowAt = 0;
  /** Where `wanted` bytes from `at` on begin in the window. */
  const reach = async (at: number, wanted: number): Promise<number> => {
    if (at < windowAt || at + wanted > windowAt + window.byteLength) {
      discard(window);
      const range = { offset: at, bytes: Math.max(wanted, Math.min(WINDOW_BYTES, bytes - at)) };
      window = (await repository.storage.get(name, { range, ...(signal && { signal }) })) as Uint8Array<ArrayBuffer>;
      windowAt = at;
      if (window.byteLength < wanted) throw damaged(name, 'it was cut short');
    }
    return at - windowAt;
  };
  try {
    const headAt = await reach(0, HEAD_BYTES);
    const head = window.subarray(headAt, HEAD_BYTES);
    const opener = new FrameOpener(await repository.keysFor(name, head, signal), kind, name, head);
    let offset = 0;
    for (let at = HEAD_BYTES, index = 0, final = false; !final; index++) {
      const headerAt = await reach(at, FRAME_HEADER_BYTES);
      const header = parseFrameHeader(window, headerAt);
      if (typeof header === 'string') throw damaged(name, header);
      const frameBytes = FRAME_HEADER_BYTES + header.sealedBytes;
      final = at + frameBytes === bytes;
      if (final || index === 0 || offset + header.plainBytes > skip) {
        const { plain } = opener.open(window, await reach(at, frameBytes), at, final);
        yield { isFirst: index === 0, offset, plain };
      }
      if (index > 0) offset += header.plainBytes;
      at += frameBytes;
    }
  } finally {
    discard(window);
  }
}
