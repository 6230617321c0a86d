// How far a further place of the repository is behind the first, without bringing it anything.
//
// It is what `copy --dry-run` would find, put in one word for `check` and the doctor. WAL that is only just on its way is no
// backlog: the first place always has some more while a receiver runs.

import { isSpillwayError, type Report, type SpillwayError } from '@spillway/contract';
import type { Repository } from '../../repository/repository.ts';
import type { StorageLocation } from '../../storage/port.ts';
import type { RetentionPolicy } from '../expire/policy.ts';
import { copy } from './run.ts';

/** WAL objects that may be on their way to a place that is in step. */
const ON_THE_WAY_MAX = 8;

export interface PlaceToLookAt {
  readonly name: string;
  readonly location: StorageLocation;
  readonly required: boolean;
  /** Mounted for a copy alone: that it is behind, or not there, is how it should be. */
  readonly forCopy: boolean;
  /** What it keeps. */
  readonly policy: RetentionPolicy;
}

export interface PlaceFacts {
  readonly name: string;
  readonly required: boolean;
  readonly forCopy: boolean;
  /** What it lacks; `failure` where it could not be looked at. */
  readonly missing?: {
    readonly backups: number;
    readonly walObjects: number;
    readonly bytes: number;
    /** Whether nothing was ever copied there. */
    readonly all: boolean;
  };
  readonly damagedObjects: number;
  readonly failure?: SpillwayError;
}

export interface PlaceVerdict {
  readonly status: 'ok' | 'warning' | 'failed';
  readonly message: string;
  readonly hint?: string;
}

export async function lookAtPlace(
  source: Repository,
  cluster: string,
  place: PlaceToLookAt,
  signal: AbortSignal,
): Promise<PlaceFacts> {
  const { name, required, forCopy, location, policy } = place;
  const about = { name, required, forCopy };
  const quiet: Report = () => undefined;
  try {
    const looked = await copy({
      source,
      target: location,
      clusters: [{ name: cluster, policy }],
      dryRun: true,
      workers: 1,
      signal,
      report: quiet,
    });
    const [found] = looked.clusters;
    return {
      ...about,
      missing: {
        backups: found?.backups.filter(({ outcome }) => outcome === 'copied').length ?? 0,
        walObjects: found?.wal_objects ?? 0,
        bytes: (found?.pack_bytes ?? 0) + (found?.wal_bytes ?? 0),
        all: looked.made,
      },
      damagedObjects: found?.damage.filter((damage) => damage.place === 'target').length ?? 0,
    };
  } catch (error) {
    if (!isSpillwayError(error) || signal.aborted) throw error;
    return { ...about, damagedObjects: 0, failure: error };
  }
}

/** Pure. */
export function judgePlace({ name, required, forCopy, missing, damagedObjects, failure }: PlaceFacts): PlaceVerdict {
  if (failure !== undefined) {
    const why = failure.why === undefined ? '' : `: ${failure.why}`;
    if (forCopy && (failure.code === 'SPW_STORAGE_UNREACHABLE' || failure.code === 'SPW_REPOSITORY_MISSING')) {
      return { status: 'ok', message: `${name} is not mounted now, which it is for a copy alone` };
    }
    const passing = failure.code === 'SPW_STORAGE_UNREACHABLE' && !required;
    return {
      status: passing ? 'warning' : 'failed',
      message: `${name} cannot be looked at: ${failure.message}${why}`,
      hint: failure.hint,
    };
  }
  if (damagedObjects > 0) {
    return {
      status: 'failed',
      message: `${name} has ${damagedObjects} damaged objects`,
      hint: `spillway --repository ${name} repair`,
    };
  }
  if (missing === undefined || (missing.backups === 0 && missing.walObjects <= ON_THE_WAY_MAX)) {
    return { status: 'ok', message: `${name} has all that it is to keep` };
  }
  const parts = [
    ...(missing.backups === 0 ? [] : [`${missing.backups} backups`]),
    ...(missing.walObjects === 0 ? [] : [`${missing.walObjects} WAL objects`]),
  ].join(' and ');
  return {
    status: forCopy && !missing.all ? 'ok' : 'warning',
    message: missing.all ? `${name} is no copy yet` : `${name} lacks ${parts}`,
    hint: `spillway copy ${name}`,
  };
}
