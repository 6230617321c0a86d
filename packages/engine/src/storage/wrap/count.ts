// A store whose calls and bytes are counted, for all threads of the process together.

import type { Storage } from '../port.ts';
import type { SharedState } from '../process-state.ts';

export function withCounts(inner: Storage, shared: SharedState): Storage {
  return {
    description: inner.description,
    async get(name, options) {
      shared.count('get_calls');
      const bytes = await inner.get(name, options);
      shared.count('get_bytes', bytes.byteLength);
      return bytes;
    },
    async put(name, parts, options) {
      shared.count('put_calls');
      const outcome = await inner.put(name, parts, options);
      if (outcome === 'created') {
        shared.count(
          'put_bytes',
          parts.reduce((sum, part) => sum + part.byteLength, 0),
        );
      }
      return outcome;
    },
    async *list(prefix, options) {
      shared.count('list_calls');
      yield* inner.list(prefix, options);
    },
    async stat(name, options) {
      shared.count('stat_calls');
      return inner.stat(name, options);
    },
    ...(inner.replace !== undefined && { replace: inner.replace.bind(inner) }),
    ...(inner.lock !== undefined && { lock: inner.lock }),
    ...(inner.history !== undefined && { history: inner.history }),
    ...(inner.classes !== undefined && { classes: inner.classes }),
    async remove(name, options) {
      shared.count('remove_calls');
      return inner.remove(name, options);
    },
  };
}
