// `wal push` to several places: what the push put at the first place is passed on to the others before it is a success.
//
// 1. The file, and those that were pushed ahead of it, are stored at the first place as ever (`push.ts`).
// 2. The same objects go to each other place. A place that fails is told, and holds up no other.
// 3. Where the policy is not content the push has failed: PostgreSQL asks again, the first place finds the file there, and
//    it is passed on anew. A mark of a file that was pushed ahead counts for a place only where its objects lie there.

import { isSpillwayError, SpillwayError } from '@spillway/contract';
import { walPrefix } from '../../format/names.ts';
import { preparePlace } from '../../repository/place.ts';
import { Repository } from '../../repository/repository.ts';
import { type CopyPolicy, isDone, type PlaceState } from '../copy/done.ts';
import { listSystems } from '../system.ts';
import { observed } from './observed.ts';
import { passOn, passOnSystems } from './pass-on.ts';
import { type PushSummary, pushWal, wasPushed } from './push.ts';
import type { PushedFile } from './push-mark.ts';
import type { PushOptions } from './pusher.ts';
import type { MirrorPlace } from './mirror.ts';

/** Every name of a WAL file begins with its timeline. */
const TIMELINE_DIGITS = 8;

export interface PushToPlacesOptions extends PushOptions {
  readonly places: readonly Pick<MirrorPlace, 'name' | 'location' | 'required'>[];
  readonly copyPolicy: CopyPolicy;
}

/** Whether the file was pushed ahead, to every required place. */
export async function wasPushedToAll(file: PushedFile, places: PushToPlacesOptions['places']): Promise<boolean> {
  if (!(await wasPushed(file))) return false;
  for (const { location } of places.filter(({ required }) => required)) {
    try {
      if (!(await wasPushed({ ...file, location }))) return false;
    } catch (error) {
      if (!isSpillwayError(error)) throw error;
      return false;
    }
  }
  return true;
}

/** Throws what the first place fails with, and SPW_STORAGE_UNREACHABLE where the policy is not content. */
export async function pushToPlaces(options: PushToPlacesOptions): Promise<PushSummary> {
  const { repository, places, copyPolicy, cluster, signal, report } = options;
  const steps: { readonly verb: 'put' | 'remove'; readonly name: string }[] = [];
  const first = new Repository(
    repository.handle,
    observed(repository.storage, (verb, name) => void steps.push({ verb, name })),
  );
  const summary = await pushWal({ ...options, repository: first });
  const holding = await objectsOf(options, summary.file);
  const states: PlaceState[] = [];
  const failures: string[] = [];
  for (const { name: place, location, required } of places) {
    try {
      const { repository: target } = await preparePlace(repository, location, signal && { signal });
      await passOnSystems(repository, target, cluster, signal);
      for (const step of steps) await passOn(repository, target, step, signal);
      // Of a file that was at the first place already nothing was put.
      for (const name of holding) {
        if ((await target.storage.stat(name, signal && { signal })) !== undefined) continue;
        await passOn(repository, target, { verb: 'put', name }, signal);
      }
      states.push({ place, required, state: 'complete' });
    } catch (error) {
      if (!isSpillwayError(error) || signal?.aborted === true) throw error;
      states.push({ place, required, state: 'behind' });
      failures.push(`${place}: ${error.message}`);
    }
  }
  if (failures.length === 0) return summary;
  const why = failures.join('; ');
  if (!isDone(copyPolicy, states)) {
    throw new SpillwayError(
      'SPW_STORAGE_UNREACHABLE',
      `${summary.file} does not count as pushed by copy_policy ${copyPolicy}`,
      {
        why,
        hint: 'it is at the first place; PostgreSQL asks for it again',
      },
    );
  }
  report({ type: 'notice', level: 'warning', message: `${summary.file} is not at every place: ${why}.` });
  return summary;
}

/** What holds the file at the first place: itself, or the parts of it. */
async function objectsOf({ repository, cluster, signal }: PushOptions, file: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { system_identifier: system } of await listSystems(repository, cluster, signal)) {
    const prefix = `${walPrefix(cluster, system)}${file.slice(0, TIMELINE_DIGITS)}/${file}`;
    for await (const { name } of repository.storage.list(prefix, signal && { signal })) names.push(name);
  }
  return names;
}
