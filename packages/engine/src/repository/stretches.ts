// Which ranges of packs to read for the chunks that are wanted: few large reads instead of one for each chunk. Pure.
//
// Pack by pack and in order of offset, neighbours joined. A stretch ends where so much lies between two chunks that
// another request is cheaper than reading it, and where its chunks become much work, so that all workers have some.

import { SpillwayError } from '@spillway/contract';
import type { ChunkPlace } from './chunk-table.ts';
import type { PackReference } from './index-store.ts';

/** A stretch is so much of the files, however small it became in the pack. */
const STRETCH_PLAIN_BYTES = 8 * 1024 * 1024;
const STRETCH_CHUNKS_MAX = 1024;
/** Reading this much that is not needed is cheaper than another request. */
const JOINED_GAP_BYTES = 256 * 1024;

export interface WantedChunk {
  readonly place: Pick<ChunkPlace, 'offset' | 'storedBytes' | 'plainBytes'>;
}

/** Bytes [offset, offset + bytes) of a pack, and which chunks are wanted of them. */
export interface Stretch<Wanted extends WantedChunk> {
  readonly pack: PackReference;
  readonly offset: number;
  readonly bytes: number;
  readonly chunks: readonly Wanted[];
}

/** `wanted`: by number of the pack, each pack once; its chunks in any order, each once. */
export function* stretches<Wanted extends WantedChunk>(
  wanted: Iterable<readonly [pack: number, chunks: Iterable<Wanted>]>,
  packs: readonly PackReference[],
): Iterable<Stretch<Wanted>> {
  for (const [packNumber, chunks] of wanted) {
    const pack = packs[packNumber];
    if (pack === undefined) throw new SpillwayError('SPW_INTERNAL', `the index has no pack number ${packNumber}`);
    const ordered = [...chunks].toSorted((a, b) => a.place.offset - b.place.offset);
    let gathered: Wanted[] = [];
    let from = 0;
    let to = 0;
    let plain = 0;
    for (const chunk of ordered) {
      const { place } = chunk;
      const far = place.offset - to > JOINED_GAP_BYTES;
      const full = plain >= STRETCH_PLAIN_BYTES || gathered.length >= STRETCH_CHUNKS_MAX;
      if (gathered.length > 0 && (far || full)) {
        yield { pack, offset: from, bytes: to - from, chunks: gathered };
        gathered = [];
      }
      if (gathered.length === 0) {
        from = place.offset;
        plain = 0;
      }
      plain += place.plainBytes;
      gathered.push(chunk);
      to = place.offset + place.storedBytes;
    }
    if (gathered.length > 0) yield { pack, offset: from, bytes: to - from, chunks: gathered };
  }
}
