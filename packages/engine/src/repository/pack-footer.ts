// What a pack says of itself: its directory, from the final frame at its end. The index holds the same, for all packs
// in few objects; where an index object is damaged, the footers give back what it held.

import { damaged, FrameOpener } from '../codec/seal.ts';
import { packName } from '../format/names.ts';
import { HEAD_BYTES } from '../format/object.ts';
import { PACK_TRAILER_BYTES, type PackDirectory, parseDirectories, parseTrailer } from '../format/pack.ts';
import type { Repository } from './repository.ts';

/** Enough for the footer of nearly every pack: some 1,000 chunks. */
const TAIL_READ_BYTES = 128 * 1024;

/** Throws SPW_OBJECT_DAMAGED where the pack has no footer that fits it. */
export async function readPackFooter(
  repository: Repository,
  packId: string,
  packBytes: number,
  signal?: AbortSignal,
): Promise<PackDirectory> {
  const name = packName(packId);
  const read = (offset: number, bytes: number): Promise<Uint8Array> =>
    repository.storage.get(name, { range: { offset, bytes }, ...(signal && { signal }) });
  const head = await read(0, HEAD_BYTES);
  let tail = await read(Math.max(0, packBytes - TAIL_READ_BYTES), TAIL_READ_BYTES);
  const footerBytes = parseTrailer(tail);
  if (typeof footerBytes === 'string') throw damaged(name, footerBytes);
  const offset = packBytes - PACK_TRAILER_BYTES - footerBytes;
  if (offset < HEAD_BYTES) throw damaged(name, 'its trailer tells of a footer longer than the pack');
  if (packBytes - offset > tail.byteLength) tail = await read(offset, packBytes - offset);
  const start = tail.byteLength - (packBytes - offset);
  const { plain, frameBytes } = new FrameOpener(await repository.keysFor(name, head, signal), 'pack', name, head).open(
    tail,
    start,
    offset,
    true,
  );
  const directories = parseDirectories(plain);
  if (typeof directories === 'string') throw damaged(name, directories);
  const [directory, ...others] = directories;
  if (directory?.packId !== packId || others.length > 0 || frameBytes !== footerBytes) {
    throw damaged(name, 'its footer is not that of this pack');
  }
  return { ...directory, packBytes };
}
