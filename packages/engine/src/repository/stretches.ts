// Which ranges of packs to read for the chunks that are wanted: few large reads instead of one for each chunk. Pure.
//
// Pack by pack and in order of offset, neighbours joined. What lies between two of them is read with them where it is
// little, or where the whole stretch still holds no more that is not wanted than what is: so a small part of a backup is
// never fetched with all that lies around it. A stretch ends too where its chunks become much work, so that all workers
// have some.

import { SpillwayError } from '@spillway/contract';
import type { ChunkPlace } from './chunk-table.ts';
import type { PackReference } from './index-store.ts';

/** A stretch is so much of the files, however small it became in the pack. */
const STRETCH_PLAIN_BYTES = 8 * 1024 * 1024;
const STRETCH_CHUNKS_MAX = 1024;
/** The largest gap that is read over: beyond it another request is cheaper. */
const JOINED_GAP_BYTES = 256 * 1024;
/** The smallest: less than this no disk reads. */
const FREE_GAP_BYTES = 4 * 1024;

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
    let stored = 0;
    for (const chunk of ordered) {
      const { place } = chunk;
      const gap = place.offset - to;
      const unwanted = to - from - stored + gap;
      const far = gap > FREE_GAP_BYTES && (gap > JOINED_GAP_BYTES || unwanted > stored + place.storedBytes);
      const full = plain >= STRETCH_PLAIN_BYTES || gathered.length >= STRETCH_CHUNKS_MAX;
      if (gathered.length > 0 && (far || full)) {
        yield { pack, offset: from, bytes: to - from, chunks: gathered };
        gathered = [];
      }
      if (gathered.length === 0) {
        from = place.offset;
        plain = 0;
        stored = 0;
      }
      plain += place.plainBytes;
      stored += place.storedBytes;
      gathered.push(chunk);
      to = place.offset + place.storedBytes;
    }
    if (gathered.length > 0) yield { pack, offset: from, bytes: to - from, chunks: gathered };
  }
}
