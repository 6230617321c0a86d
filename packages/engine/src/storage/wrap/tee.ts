// A store whose packs go to other places too as they are written, so that they need not be read again for them.
//
// Only packs: their names are given once for all places. The first place alone decides whether a put succeeded. One of the
// others that fails is given up for this run, and told: what it lacks is brought to it afterwards (`operation/copy`), and
// so is all else. A pack that nothing names at a place yet is garbage there until then, as that of any interrupted writer.

import { isSpillwayError } from '@spillway/contract';
import type { Storage } from '../port.ts';

const TEED = 'packs/';

export function withTee(first: Storage, others: readonly Storage[]): Storage {
  const going = new Set(others);
  return {
    description: first.description,
    ...(first.lock !== undefined && { lock: first.lock }),
    ...(first.history !== undefined && { history: first.history }),
    ...(first.classes !== undefined && { classes: first.classes }),
    get: (name, options) => first.get(name, options),
    stat: (name, options) => first.stat(name, options),
    list: (prefix, options) => first.list(prefix, options),
    remove: (name, options) => first.remove(name, options),
    async put(name, parts, options) {
      if (!name.startsWith(TEED)) return await first.put(name, parts, options);
      const beside = [...going].map(async (place) => {
        try {
          await place.put(name, parts, options);
        } catch (error) {
          // Whoever stops the whole hears of it from the first place.
          if (!isSpillwayError(error) && options?.signal?.aborted !== true) throw error;
          going.delete(place);
        }
      });
      const [outcome] = await Promise.all([first.put(name, parts, options), ...beside]);
      return outcome;
    },
  };
}
