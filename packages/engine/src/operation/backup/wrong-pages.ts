// Pages whose checksum is wrong, as many as are worth keeping. On a disk that dies every page may be wrong, and a list of them all
// would take more memory than the backup: past the bound they are only counted.
//
// What is kept is judged when the backup has ended: one that was torn while PostgreSQL wrote it is mended by replay. What is only
// counted is taken for damaged, and the next backup then reads everything again.

import type { Lsn } from '../../postgres/lsn.ts';
import type { WrongPageOfFile } from './source.ts';

const KEPT_MAX = 20_000;

export interface WrongPageCount {
  readonly wrongPages: readonly WrongPageOfFile[];
  /** How many more there are. */
  readonly wrongPagesBeyond: number;
}

export class WrongPages {
  readonly #kept: WrongPageOfFile[] = [];
  #beyond = 0;

  add(page: WrongPageOfFile): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(page);
    else this.#beyond++;
  }

  get all(): WrongPageCount {
    return { wrongPages: this.#kept, wrongPagesBeyond: this.#beyond };
  }
}

export interface DamagedPages {
  /** Ordered by file and block; `most` at most. */
  readonly pages: readonly { readonly file: string; readonly block: number }[];
  readonly count: number;
}

/**
 * A page written during the backup may have been read torn: replay from the start writes it anew. One whose LSN lies past the end of
 * the backup cannot have been written by this server.
 */
export function damagedPages(
  { wrongPages, wrongPagesBeyond }: WrongPageCount,
  { startLsn, stopLsn }: { readonly startLsn: Lsn; readonly stopLsn: Lsn },
  most: number,
): DamagedPages {
  const damaged = wrongPages
    .filter(({ lsn }) => lsn < startLsn || lsn > stopLsn)
    .map(({ path, block }) => ({ file: path, block }))
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.block - b.block);
  return { pages: damaged.slice(0, most), count: damaged.length + wrongPagesBeyond };
}
