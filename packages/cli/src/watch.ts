// What the service looks at beyond the repository: each cluster against its objectives, and the space under each place.
//
// A place is opened once and stays open: opening derives keys, which is slow on purpose. One that fails is opened anew the
// next time.

import { statfs } from 'node:fs/promises';
import { FIRST_PLACE } from '@spillway/contract/schemas';
import type { PlaceSeen, Watch } from '@spillway/daemon';
import type { Repository } from '@spillway/engine';
import { statusOf } from './commands/status.ts';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { locationOf } from './location.ts';
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
    places: () =>
      Promise.all([FIRST_PLACE, ...alwaysMounted(loaded)].map((place) => lookAtPlace(context, loaded, place))),
  };
}

const alwaysMounted = ({ configuration }: LoadedConfiguration): readonly string[] =>
  Object.entries(configuration.copies).flatMap(([name, { mounted }]) => (mounted === 'always' ? [name] : []));

async function lookAtPlace(context: Context, loaded: LoadedConfiguration, place: string): Promise<PlaceSeen> {
  const location = await locationOf(context, loaded, place);
  if (location.kind === 's3') return { place, availableBytes: null, sizeBytes: null };
  const { bavail, blocks, bsize } = await statfs(location.path);
  return { place, availableBytes: bavail * bsize, sizeBytes: blocks * bsize };
}
