// One worker of a repair: authenticates every frame of an object where it lies. Nothing is written.

import { discard } from '../../codec/discard.ts';
import { proveObject } from '../../repository/prove-object.ts';
import { Repository, type RepositoryHandle } from '../../repository/repository.ts';
import { serveCrew } from '../crew.ts';
import { damageIn } from '../damage.ts';

export interface LookTask {
  readonly name: string;
}

export interface LookResult {
  readonly name: string;
  readonly bytes: number;
  /** What is wrong, in a phrase. */
  readonly problem: string | undefined;
}

serveCrew<RepositoryHandle, LookTask, LookResult, undefined>((handle) => {
  const repository = new Repository(handle);

  async function look({ name }: LookTask): Promise<LookResult> {
    let bytes = 0;
    try {
      const object = await repository.storage.get(name);
      bytes = object.byteLength;
      await proveObject(repository, name, object);
      discard(object);
      return { name, bytes, problem: undefined };
    } catch (error) {
      return { name, bytes, problem: damageIn(error) };
    }
  }

  return { perform: async (task) => ({ result: await look(task) }), finish: async () => undefined };
});
