// Passing on to another place what was put or removed at the first: the same bytes under the same name.

import { isSpillwayError } from '@spillway/contract';
import { systemName } from '../../format/names.ts';
import { proveObject } from '../../repository/prove-object.ts';
import type { Repository } from '../../repository/repository.ts';

/** Read at the first place and authenticated; what is gone there was replaced by something that is passed on after it. */
export async function passOn(
  source: Repository,
  target: Repository,
  { verb, name }: { readonly verb: 'put' | 'remove'; readonly name: string },
  signal?: AbortSignal,
): Promise<void> {
  const options = signal && { signal };
  if (verb === 'remove') {
    await target.storage.remove(name, options);
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
