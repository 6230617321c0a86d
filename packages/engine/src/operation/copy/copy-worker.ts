// One worker of a copy: reads an object at the source, authenticates every frame of it, and puts it at the target under
// the same name, the same bytes.
//
// What does not authenticate is never put: it is a result, not an error, so that the rest is copied all the same. A store
// that cannot be reached, or is full, is an error, and ends the copy. One object is in memory at a time.

import { isSpillwayError } from '@spillway/contract';
import { authenticate } from '../../codec/authenticate.ts';
import { discard } from '../../codec/discard.ts';
import { damaged } from '../../codec/seal.ts';
import { packName } from '../../format/names.ts';
import type { ObjectKind } from '../../format/object.ts';
import type { PackDirectory } from '../../format/pack.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { authenticatePack } from '../../repository/whole-pack.ts';
import { openStorage } from '../../storage/open.ts';
import type { StorageLocation } from '../../storage/port.ts';
import { serveCrew } from '../crew.ts';
import { damageIn } from '../damage.ts';

export interface CopyCrewData {
  readonly source: RepositoryHandle;
  readonly target: StorageLocation;
}

export type CopyTask =
  | { readonly type: 'pack'; readonly packId: string; readonly bytes: number }
  | { readonly type: 'object'; readonly kind: ObjectKind; readonly name: string; readonly bytes: number };

export type CopyResult = {
  readonly task: CopyTask;
  readonly object: string;
  readonly bytes: number;
} & (
  | { readonly outcome: 'created' | 'exists'; readonly directory?: PackDirectory }
  /** At the source, in a phrase. */
  | { readonly outcome: 'damaged'; readonly why: string }
  /** Not at the source any more. */
  | { readonly outcome: 'gone' }
);

serveCrew<CopyCrewData, CopyTask, CopyResult, undefined>(({ source: handle, target: location }) => {
  const source = new Repository(handle);
  const target = openStorage(location);

  async function perform(task: CopyTask): Promise<CopyResult> {
    const object = task.type === 'pack' ? packName(task.packId) : task.name;
    const about = { task, object, bytes: task.bytes };
    let bytes: Uint8Array;
    let directory: PackDirectory | undefined;
    try {
      bytes = await source.storage.get(object);
      if (bytes.byteLength !== task.bytes) throw damaged(object, `it has ${bytes.byteLength} bytes, not ${task.bytes}`);
      const keys = await source.keysFor(object, bytes);
      if (task.type === 'pack') directory = authenticatePack(keys, task.packId, bytes);
      else authenticate(keys, task.kind, object, bytes);
    } catch (error) {
      if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return { ...about, outcome: 'gone' };
      return { ...about, outcome: 'damaged', why: damageIn(error) };
    }
    const outcome = await target.put(object, [bytes]);
    discard(bytes);
    return { ...about, outcome, ...(directory && { directory }) };
  }

  return { perform: async (task) => ({ result: await perform(task) }), finish: async () => undefined };
});
