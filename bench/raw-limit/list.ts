// What a run of the raw limit leaves beside its packs, so that they can be read back.

import type { StoredChunk } from './chunk.ts';

export const LIST_FILE = 'chunks.json';

export interface List {
  /** Hexadecimal. It protects nothing: the bytes are the bench's own. */
  readonly secret: string;
  readonly chunks: readonly StoredChunk[];
}
