// What lies in the folder of scratch clusters, and the end of what nobody needs any more.
//
//   in use      its owner lives
//   abandoned   its owner is gone: he was killed, or the machine was
//   kept        it was made to outlive its owner, until a moment that is yet to come
//   expired     that moment has passed
//   elsewhere   another host's, or another container's: nobody here can tell whether it is in use
// Only what is abandoned or expired is removed: the server first, then the folder, the marker last, so that an end that is
// itself broken off is gone on with.

import { rm } from 'node:fs/promises';
import { isSpillwayError, type Report } from '@spillway/contract';
import { readScratchMarkers, removeScratchMarker, type ScratchMarker, type ScratchPlace } from './marker.ts';
import { ownerState } from './owner.ts';
import { endServerIn } from './processes.ts';

export type ScratchState = 'in use' | 'abandoned' | 'kept' | 'expired' | 'elsewhere';

export interface ScratchFound {
  readonly id: string;
  readonly directory: string;
  readonly state: ScratchState;
  readonly purpose: ScratchMarker['purpose'];
  readonly cluster: string;
  readonly backup: string;
  readonly target: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly host: string;
  readonly pid: number;
  /** Where its server takes connections; null where it was never so far. */
  readonly server: ScratchMarker['server'];
}

interface Judged {
  readonly place: ScratchPlace;
  readonly found: ScratchFound;
}

/** Oldest first. */
export async function listScratch(folder: string): Promise<readonly ScratchFound[]> {
  return (await judge(folder)).judged.map(({ found }) => found);
}

/** Ends what is abandoned or has expired, and gives it. One that cannot be removed is told, and keeps nobody from work. */
export async function removeAbandoned(
  folder: string,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<readonly ScratchFound[]> {
  const { judged, odd } = await judge(folder);
  const removed: ScratchFound[] = [];
  const warn = (message: string): void => report({ type: 'notice', level: 'warning', message });
  for (const path of odd) warn(`${path} is no marker of a scratch cluster that this version knows: look at it.`);
  for (const { place, found } of judged) {
    signal.throwIfAborted();
    if (found.state !== 'abandoned' && found.state !== 'expired') continue;
    try {
      await removeScratch(place);
      removed.push(found);
    } catch (error) {
      const why = isSpillwayError(error) ? (error.why ?? error.message) : (error as Error).message;
      warn(`The scratch cluster ${place.root}, which is ${found.state}, could not be removed: ${why}.`);
    }
  }
  return removed;
}

/** Ends one by its id, whoever's it is, but for those of other hosts. False where there is none of that id here. */
export async function endScratch(folder: string, id: string): Promise<boolean> {
  const one = (await judge(folder)).judged.find(({ place }) => place.id === id);
  if (one === undefined || one.found.state === 'elsewhere') return false;
  await removeScratch(one.place);
  return true;
}

/** Server, folder, marker. */
export async function removeScratch(place: ScratchPlace): Promise<void> {
  await endServerIn(place.data);
  // A command that the server had started may be writing its last file.
  await rm(place.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  await removeScratchMarker(place);
}

async function judge(folder: string): Promise<{ readonly judged: readonly Judged[]; readonly odd: readonly string[] }> {
  const { found, odd } = await readScratchMarkers(folder);
  const judged: Judged[] = [];
  for (const { place, marker } of found) {
    const { owner, format: _, ...told } = marker;
    judged.push({
      place,
      found: {
        id: place.id,
        directory: place.root,
        state: stateOf(marker, await ownerState(owner), Date.now()),
        ...told,
        host: owner.host,
        pid: owner.pid,
      },
    });
  }
  return { judged: judged.toSorted((a, b) => (a.found.created_at < b.found.created_at ? -1 : 1)), odd };
}

/** Pure. */
export function stateOf(
  { expires_at: until }: Pick<ScratchMarker, 'expires_at'>,
  owner: 'living' | 'gone' | 'elsewhere',
  nowMs: number,
): ScratchState {
  if (owner === 'elsewhere') return 'elsewhere';
  if (until !== null) return Date.parse(until) <= nowMs ? 'expired' : 'kept';
  return owner === 'living' ? 'in use' : 'abandoned';
}
