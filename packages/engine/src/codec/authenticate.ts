// Authenticating a sealed object as it lies, for whoever copies it: every frame in order, the last one as the final one.
//
// Nothing is expanded: what makes an object the one that was written is the tag of each frame, under a key that follows
// from the object's own kind and name. `end` is where the final frame ends, for objects with bytes behind it.

import { FRAME_HEADER_BYTES, HEAD_BYTES, type ObjectKind, parseFrameHeader } from '../format/object.ts';
import { discard } from './discard.ts';
import type { KeyRing } from './keys.ts';
import { damaged, FrameOpener } from './seal.ts';

/** Gives the lengths of the frames, headers included. Throws SPW_OBJECT_DAMAGED where one does not authenticate. */
export function authenticate(
  ring: KeyRing,
  kind: ObjectKind,
  name: string,
  bytes: Uint8Array,
  end: number = bytes.byteLength,
): readonly number[] {
  const opener = new FrameOpener(ring, kind, name, bytes);
  const lengths: number[] = [];
  for (let at = HEAD_BYTES; ; ) {
    const header = parseFrameHeader(bytes, at);
    if (typeof header === 'string') throw damaged(name, header);
    const next = at + FRAME_HEADER_BYTES + header.sealedBytes;
    if (next > end) throw damaged(name, 'a frame reaches over its end');
    discard(opener.openBody(bytes, at, at, next === end).body);
    lengths.push(next - at);
    if (next === end) return lengths;
    at = next;
  }
}
