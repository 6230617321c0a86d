// Making a backup or dump at all places that are always mounted, and what of it decides the exit code.

import { exitCodes, isSpillwayError, type PlacesDocument, type SpillwayError } from '@spillway/contract';
import { FIRST_PLACE } from '@spillway/contract/configuration';
import { policyOf } from '@spillway/control';
import * as engine from '@spillway/engine';
import type { LoadedConfiguration } from './configuration/load.ts';
import type { Context } from './context.ts';
import { locationOf } from './location.ts';
import { openConfigured, retentionAt } from './session.ts';

export interface MadeAtPlaces<Made> {
  readonly made: Made;
  /** The first place, opened. */
  readonly repository: engine.Repository;
  readonly places: PlacesDocument;
  /** What the places say: done, done with somebody behind, or not done by `copy_policy`. */
  readonly exitCode: number;
}

/** The places that are always mounted; none with --repository, which means that place alone. */
export async function furtherPlaces(
  context: Context,
  loaded: LoadedConfiguration,
  cluster: string,
): Promise<readonly (engine.FurtherPlace & { readonly required: boolean })[]> {
  if ((context.options.repository ?? FIRST_PLACE) !== FIRST_PLACE) return [];
  const mounted = Object.entries(loaded.configuration.copies).filter(([, copy]) => copy.mounted === 'always');
  return Promise.all(
    mounted.map(async ([name, { policy }]) => ({
      name,
      required: policy === 'required',
      location: await locationOf(context, loaded, name),
      policy: policyOf(retentionAt(loaded, name, cluster)),
    })),
  );
}

/** All of them, to be looked at; of one whose secrets cannot be had only that is told. */
export async function placesToLookAt(
  context: Context,
  loaded: LoadedConfiguration,
  cluster: string,
): Promise<{
  readonly places: readonly engine.PlaceToLookAt[];
  readonly failures: readonly { readonly place: string; readonly error: SpillwayError }[];
}> {
  const places: engine.PlaceToLookAt[] = [];
  const failures: { place: string; error: SpillwayError }[] = [];
  if ((context.options.repository ?? FIRST_PLACE) !== FIRST_PLACE) return { places, failures };
  for (const [name, { policy, mounted }] of Object.entries(loaded.configuration.copies)) {
    try {
      places.push({
        name,
        location: await locationOf(context, loaded, name),
        required: policy === 'required',
        forCopy: mounted === 'for-copy',
        policy: policyOf(retentionAt(loaded, name, cluster)),
      });
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
      failures.push({ place: name, error });
    }
  }
  return { places, failures };
}

/** With --repository at that place alone. */
export async function makeAtPlaces<Made extends { readonly id: string }>(
  context: Context,
  loaded: LoadedConfiguration,
  given: { readonly cluster: string; readonly workers: number },
  make: (repository: engine.Repository) => Promise<Made>,
): Promise<MadeAtPlaces<Made>> {
  const { copy_policy: policy } = loaded.configuration;
  const repository = await openConfigured(context, loaded);
  const further = await furtherPlaces(context, loaded, given.cluster);
  const { made, places: outcomes } = await engine.throughPlaces(
    {
      repository,
      ...given,
      places: further,
      signal: context.signal,
      report: context.output.report,
    },
    make,
  );
  const places = outcomes.map(({ place, failure }) => ({
    place,
    required: further.find(({ name }) => name === place)?.required === true,
    state: failure === undefined ? ('complete' as const) : ('behind' as const),
    problem: failure ?? null,
  }));
  const done = engine.isDone(policy, places);
  const behind = places.filter(({ state }) => state === 'behind');
  for (const { place, problem } of behind) {
    context.output.warn(`${place} is behind: ${problem}. Next: spillway copy ${place}`);
  }
  if (!done) {
    const required = behind.filter(({ required: counts }) => counts).map(({ place }) => place);
    context.output.warn(
      `${made.id} is at the first place, and does not count as done by copy_policy ${policy}: ${required.join(', ')} ${required.length === 1 ? 'lacks' : 'lack'} it`,
    );
  }
  const exitCode = done ? (behind.length === 0 ? exitCodes.ok : exitCodes.warnings) : exitCodes.storageUnreachable;
  return { made, repository, places, exitCode };
}
