// Whether a bucket is what a repository needs, and making it so: read, judge, change, read again.
//
// A change counts as made only when the bucket says so afterwards. Each is tried by itself: one that is refused keeps none
// of the others from being made.

import { isSpillwayError, type Report, type SpillwayError } from '@spillway/contract';
import { BucketControl } from '../storage/s3/bucket/control.ts';
import { type BucketFinding, judgeBucket } from '../storage/s3/bucket/judge.ts';
import type { Change } from '../storage/s3/bucket/settings.ts';
import type { S3Location } from '../storage/port.ts';

export type { BucketFinding };

/** Changes nothing. */
export async function planBucket(location: S3Location, signal?: AbortSignal): Promise<readonly BucketFinding[]> {
  return judgeBucket(await new BucketControl(location).read(signal), location, new Date());
}

export interface AppliedBucket {
  /** As it is afterwards. */
  readonly findings: readonly BucketFinding[];
  readonly changed: readonly Change['aspect'][];
  readonly failures: readonly { readonly aspect: Change['aspect']; readonly error: SpillwayError }[];
}

/** Makes the changes of a plan that were agreed to. */
export async function applyBucket(
  location: S3Location,
  plan: readonly BucketFinding[],
  { report, signal }: { readonly report: Report; readonly signal: AbortSignal },
): Promise<AppliedBucket> {
  const control = new BucketControl(location);
  const failures: { aspect: Change['aspect']; error: SpillwayError }[] = [];
  const tried: Change['aspect'][] = [];
  for (const { change } of plan) {
    if (change === undefined) continue;
    report({ type: 'notice', level: 'info', message: `Changing the bucket's ${change.aspect}` });
    try {
      await control.apply(change, signal);
      tried.push(change.aspect);
    } catch (error) {
      if (!isSpillwayError(error) || error.code === 'SPW_INTERRUPTED') throw error;
      failures.push({ aspect: change.aspect, error });
    }
  }
  const findings = judgeBucket(await control.read(signal), location, new Date());
  const still = new Set(findings.filter(({ state }) => state === 'differs').map(({ aspect }) => aspect));
  return { findings, changed: tried.filter((aspect) => !still.has(aspect)), failures };
}
