// A store of which somebody is told what WAL was put into it or removed from it, once that is durable, in order.

import type { Storage } from '../../storage/port.ts';

export type Observer = (verb: 'put' | 'remove', name: string) => void;

/** Only WAL, what tells whose WAL it is, and the canary. An object that was there already counts as put. */
export function observed(storage: Storage, told: Observer): Storage {
  const tell: Observer = (verb, name) => {
    if (/^clusters\/[^/]+\/(?:wal|systems|canary)\//.test(name)) told(verb, name);
  };
  return {
    description: storage.description,
    get: (name, options) => storage.get(name, options),
    stat: (name, options) => storage.stat(name, options),
    list: (prefix, options) => storage.list(prefix, options),
    put: async (name, parts, options) => {
      const outcome = await storage.put(name, parts, options);
      tell('put', name);
      return outcome;
    },
    remove: async (name, options) => {
      await storage.remove(name, options);
      tell('remove', name);
    },
  };
}
