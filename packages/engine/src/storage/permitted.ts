// Removing what has been superseded, where the store may let this process remove nothing.
//
// What stays is looked past by all readers: lower numbers of a lock, pieces of WAL that a whole segment took the place of,
// older notes. The role that expires removes it.

import { isSpillwayError } from '@spillway/contract';
import type { ObjectName, Storage } from './port.ts';

export async function removeIfPermitted(
  storage: Storage,
  name: ObjectName,
  options?: { readonly signal?: AbortSignal; readonly hide?: boolean; readonly soon?: boolean },
): Promise<void> {
  try {
    await storage.remove(name, options);
  } catch (error) {
    if (!isSpillwayError(error, 'SPW_REMOVAL_REFUSED')) throw error;
  }
}
