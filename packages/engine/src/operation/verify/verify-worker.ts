// One worker of a verification: reads and opens what the repository holds, and says what could not be.
//
// A chunk counts as good where its frame authenticates, expands to the length in its header, is as long as the manifest
// wants, and has the id that the manifest names when it is hashed anew. Damage is a result, not an error: the rest is
// read all the same. A store that cannot be reached is an error, and ends the verification without a verdict.

import { chunkId, idKey } from '../../codec/keys.ts';
import { discard } from '../../codec/discard.ts';
import { damaged } from '../../codec/seal.ts';
import { CHUNK_ID_BYTES } from '../../format/chunk.ts';
import { packName } from '../../format/names.ts';
import type { ObjectKind } from '../../format/object.ts';
import { elsewhere } from '../../repository/elsewhere.ts';
import { packOpener, type PackReference } from '../../repository/index-store.ts';
import { readPackFooter } from '../../repository/pack-footer.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { serveCrew } from '../crew.ts';
import { damageIn } from '../damage.ts';

export interface StretchTask {
  readonly type: 'stretch';
  readonly pack: PackReference;
  readonly offset: number;
  readonly bytes: number;
  /** 32 bytes each, in the order of `chunks`. */
  readonly ids: Uint8Array;
  readonly chunks: readonly { readonly slot: number; readonly offset: number; readonly plainBytes: number }[];
}

export type VerifyTask =
  | StretchTask
  | { readonly type: 'footer'; readonly packId: string; readonly packBytes: number }
  | {
      readonly type: 'object';
      readonly kind: ObjectKind;
      readonly name: string;
      /** What WAL says of itself must fit its name. */
      readonly wal?: { readonly start_lsn: string; readonly bytes: number };
    };

export interface VerifyResult {
  readonly task: VerifyTask['type'];
  readonly object: string;
  readonly fetchedBytes: number;
  readonly plainBytes: number;
  readonly chunks: number;
  /** Slot is -1 where the whole object is meant. */
  readonly bad: readonly { readonly slot: number; readonly why: string }[];
}

serveCrew<RepositoryHandle, VerifyTask, VerifyResult, undefined>((handle) => {
  const repository = new Repository(handle);
  const ids = idKey(handle.keys);

  async function verifyStretch({ pack, offset, bytes, ids: wanted, chunks }: StretchTask): Promise<VerifyResult> {
    const name = packName(pack.packId);
    const bad: { readonly slot: number; readonly why: string }[] = [];
    let plainBytes = 0;
    const all = async (): Promise<number> => {
      const opener = await packOpener(repository, pack);
      const stretch = await repository.storage.get(name, { range: { offset, bytes } });
      for (const [n, chunk] of chunks.entries()) {
        try {
          const { plain } = opener.open(stretch, chunk.offset - offset, chunk.offset, false);
          plainBytes += plain.byteLength;
          if (plain.byteLength !== chunk.plainBytes) throw damaged(name, `the chunk has ${plain.byteLength} bytes`);
          const own = wanted.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES);
          if (!chunkId(ids, plain).equals(own)) throw damaged(name, 'the chunk is not the one of that id');
          discard(plain);
        } catch (error) {
          bad.push({ slot: chunk.slot, why: damageIn(error) });
        }
      }
      const fetched = stretch.byteLength;
      discard(stretch);
      return fetched;
    };
    let fetchedBytes = 0;
    // Twice where something is wrong: a wire without TLS may have changed it.
    for (let tries = 1; tries === 1 || (tries === 2 && bad.length > 0); tries++) {
      bad.length = 0;
      plainBytes = 0;
      try {
        fetchedBytes += await all();
      } catch (error) {
        const why = damageIn(error);
        bad.splice(0, bad.length, ...chunks.map(({ slot }) => ({ slot, why })));
      }
    }
    return { task: 'stretch', object: name, fetchedBytes, plainBytes, chunks: chunks.length, bad };
  }

  async function verifyObject(task: Exclude<VerifyTask, StretchTask>): Promise<VerifyResult> {
    const object = task.type === 'footer' ? packName(task.packId) : task.name;
    const bad: { readonly slot: number; readonly why: string }[] = [];
    let plainBytes = 0;
    try {
      if (task.type === 'footer') {
        await elsewhere(repository, object, () => readPackFooter(repository, task.packId, task.packBytes));
      } else {
        const [first, ...frames] = await repository.read(task.kind, task.name);
        plainBytes = frames.reduce((sum, frame) => sum + frame.byteLength, first?.byteLength ?? 0);
        if (task.wal !== undefined) {
          const stamp = JSON.parse(Buffer.from(first ?? []).toString('utf8')) as { readonly start_lsn?: string };
          const bytes = plainBytes - (first?.byteLength ?? 0);
          if (bytes !== task.wal.bytes || stamp.start_lsn !== task.wal.start_lsn) {
            throw damaged(object, 'it holds other WAL than its name says');
          }
        }
      }
    } catch (error) {
      bad.push({ slot: -1, why: damageIn(error) });
    }
    return { task: task.type, object, fetchedBytes: plainBytes, plainBytes, chunks: 0, bad };
  }

  return {
    perform: async (task) => ({
      result: await (task.type === 'stretch' ? verifyStretch(task) : verifyObject(task)),
    }),
    finish: async () => undefined,
  };
});
