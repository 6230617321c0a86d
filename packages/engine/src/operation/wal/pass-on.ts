// Passing on to another place what was put or removed at the first: the same bytes under the same name.

import { isSpillwayError } from '@spillway/contract';
import { systemName } from '../../format/names.ts';
import { proveObject } from '../../repository/prove-object.ts';
import type { Repository } from '../../repository/repository.ts';
import { removeIfPermitted } from '../../storage/permitted.ts';
import { copyRing } from '../../repository/ring.ts';

/** Read at the first place and authenticated; what is gone there was replaced by something that is passed on after it. */
export async function passOn(
  source: Repository,
  target: Repository,
  { verb, name }: { readonly verb: 'put' | 'remove'; readonly name: string },
  signal?: AbortSignal,
): Promise<void> {
  const options = signal && { signal };
  if (verb === 'remove') {
    await removeIfPermitted(target.storage, name, { ...options, hide: true });
    return;
  }
  let bytes: Uint8Array;
  try {
    bytes = await source.storage.get(name, options);
  } catch (error) {
    if (isSpillwayError(error, 'SPW_OBJECT_MISSING')) return;
    throw error;
  }
  await proveObject(source, name, bytes);
  // Rotated since the place was prepared: without its key nobody could read there what now comes.
  if (source.keys.dataKeys.length > target.keys.dataKeys.length) {
    await copyRing(source.storage, target.storage, signal);
    target.keys = source.keys;
  }
  await target.storage.put(name, [bytes], options);
}

/** Which systems the cluster's name stands for: without that no WAL of it is found. */
export async function passOnSystems(
  source: Repository,
  target: Repository,
  cluster: string,
  signal?: AbortSignal,
): Promise<void> {
  for await (const { name } of source.storage.list(systemName(cluster, ''), signal && { signal })) {
    if ((await target.storage.stat(name, signal && { signal })) !== undefined) continue;
    await passOn(source, target, { verb: 'put', name }, signal);
  }
}
