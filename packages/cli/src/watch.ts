// What the service looks at beyond the repository: each cluster against its objectives.
//
// A place is opened once and stays open: opening derives keys, which is slow on purpose. One that fails is opened anew the
// next time.

import type { Watch } from '@spillway/daemon';
import type { Repository } from '@spillway/engine';
import { statusOf } from './commands/status.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { openConfigured } from './session.ts';

export function watchOf(context: Context, loaded: LoadedConfiguration): Watch {
  const opened = new Map<string, Promise<Repository>>();
  const open = (place: string): Promise<Repository> => {
    const known = opened.get(place);
    if (known !== undefined) return known;
    const opening = openConfigured(context, loaded, place);
    opened.set(place, opening);
    opening.catch(() => opened.delete(place));
    return opening;
  };
  return {
    status: async (cluster, signal) => {
      try {
        const document = await statusOf(context, loaded, cluster, open, signal);
        for (const { place, problem } of document.rpo.places) if (problem !== null) opened.delete(place);
        return document;
      } catch (error) {
        opened.clear();
        throw error;
      }
    },
  };
}
