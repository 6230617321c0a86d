// One worker that reads a dump back: fetches chunks, opens them, sees that each is the one its id names, and joins them.
// Chunks that lie one behind the other in a pack are one range read.

import { chunkId, idKey } from '../../codec/keys.ts';
import { damaged } from '../../codec/seal.ts';
import { packName } from '../../format/names.ts';
import { elsewhere } from '../../repository/elsewhere.ts';
import { packOpener, type PackReference } from '../../repository/index-store.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { serveCrew } from '../crew.ts';

export interface FetchData {
  readonly repository: RepositoryHandle;
}

export interface FetchedChunk {
  /** Undefined for zeros. */
  readonly place: { readonly pack: PackReference; readonly offset: number; readonly storedBytes: number } | undefined;
  readonly id: Uint8Array;
  readonly bytes: number;
}

export interface FetchTask {
  readonly number: number;
  readonly chunks: readonly FetchedChunk[];
}

export interface FetchResult {
  readonly number: number;
  readonly bytes: Uint8Array;
}

serveCrew<FetchData, FetchTask, FetchResult, undefined>((data) => {
  const repository = new Repository(data.repository);
  const key = idKey(repository.keys);

  return {
    async perform({ number, chunks }) {
      const joined = new Uint8Array(chunks.reduce((sum, { bytes }) => sum + bytes, 0));
      let at = 0;
      for (const run of runsOf(chunks)) {
        const [first] = run;
        if (first?.place === undefined) {
          at += first?.bytes ?? 0;
          continue;
        }
        const { pack, offset } = first.place;
        const name = packName(pack.packId);
        const bytes = run.reduce((sum, { place }) => sum + (place?.storedBytes ?? 0), 0);
        const begin = at;
        at = await elsewhere(repository, name, async () => {
          const stretch = await repository.storage.get(name, { range: { offset, bytes } });
          if (stretch.byteLength !== bytes) throw damaged(name, 'it was cut short');
          const opener = await packOpener(repository, pack);
          let [to, from] = [begin, 0];
          for (const chunk of run) {
            const { plain } = opener.open(stretch, from, offset + from, false);
            if (plain.byteLength !== chunk.bytes || !chunkId(key, plain).equals(chunk.id)) {
              throw damaged(name, `it holds another chunk at byte ${offset + from} than the index says`);
            }
            joined.set(plain, to);
            to += chunk.bytes;
            from += chunk.place?.storedBytes ?? 0;
          }
          return to;
        });
      }
      return { result: { number, bytes: joined }, transfer: [joined.buffer] };
    },
    finish: async () => undefined,
  };
});

/** Chunks in their order, in runs that are each one behind the other in one pack; zeros are runs of their own. */
function* runsOf(chunks: readonly FetchedChunk[]): Iterable<readonly FetchedChunk[]> {
  let run: FetchedChunk[] = [];
  for (const chunk of chunks) {
    const last = run.at(-1)?.place;
    const follows =
      last !== undefined &&
      chunk.place?.pack.packId === last.pack.packId &&
      chunk.place.offset === last.offset + last.storedBytes;
    if (run.length > 0 && !follows) {
      yield run;
      run = [];
    }
    run.push(chunk);
  }
  if (run.length > 0) yield run;
}
