// Reading an object from another place of the repository where it is damaged at the one that was asked.
//
// Whoever opens an object says by its error that it is damaged; then it is read again: once from the same place, because a
// wire without TLS may have changed it on its way, and then as long as a place is left that may have it whole. Where none has, the first error stands: it tells of the place that was asked. A repository that is read
// from one place alone gives the error of the second try.

import { isSpillwayError, type Report } from '@spillway/contract';
import type { ObjectName, Storage } from '../storage/port.ts';
import { type Detour, SeveralStorage } from '../storage/wrap/several.ts';

/** A repository, or whatever else reads from a store. */
interface Reader {
  readonly storage: Storage;
}

export async function elsewhere<T>(repository: Reader, name: ObjectName, read: () => Promise<T>): Promise<T> {
  let first: unknown;
  for (let again = false; ; ) {
    try {
      return await read();
    } catch (error) {
      first ??= error;
      if (!isSpillwayError(error, 'SPW_OBJECT_DAMAGED')) throw first;
      again = !again;
      if (!again && !avoid(repository, name)) throw first;
    }
  }
}

/** Whether another place may have the object that was read last, and was damaged. */
export const avoid = ({ storage }: Reader, name: ObjectName): boolean =>
  storage instanceof SeveralStorage && storage.avoid(name);

/** What was read from another place since this was asked last. */
export const takeDetours = ({ storage }: Reader): readonly Detour[] =>
  storage instanceof SeveralStorage ? storage.takeDetours() : [];

/** Tells of objects that were read elsewhere, each once. */
export function reportDetours(detours: readonly Detour[], told: Set<ObjectName>, report: Report): void {
  for (const { object, problem, place, instead } of detours) {
    if (told.has(object)) continue;
    told.add(object);
    const next = problem === 'unreachable' ? '' : ' Next: spillway repair';
    const message = `${object} is ${problem} at ${place}, and was read from ${instead}.${next}`;
    report({ type: 'notice', level: 'warning', message });
  }
}
