// What would be lost if the source were lost now, for each place of the repository.
//
// 1. Where the source has flushed nothing that the place does not hold, nothing: an idle primary is not at risk, however
//    old its last commit is.
// 2. Else what is younger than the newest moment that is known to be durable. That is the latest of: when the server sent
//    the newest WAL that is there; the newest canary in it; and, where that one is the newest of all, until when nothing
//    else was written behind it.
// 3. Positions are compared on one timeline alone.
// Times are the source's clock, and so is `now` where the source answers. Pure.

import { parseLsn } from '@spillway/engine';

export interface CanaryMark {
  readonly sequence: number;
  readonly written_at: string;
  readonly timeline: number;
  readonly lsn: string;
}

export interface DurableAt {
  readonly lsn: string | null;
  readonly timeline: number | null;
  /** When the server sent the newest of it. */
  readonly at: string | null;
}

export interface RpoGiven {
  readonly now: Date;
  readonly durable: DurableAt;
  /** Undefined where it does not answer, or is a standby. */
  readonly source: { readonly timeline: number; readonly flushedLsn: string } | undefined;
  /** Oldest first. */
  readonly canaries: readonly CanaryMark[];
  /** Until when nothing was written behind the newest of them. */
  readonly quietUntil: string | null;
}

export interface LiveRpo {
  /** Null where nothing is durable at all. */
  readonly seconds: number | null;
  /**
   * `all-durable`: the source has nothing that is not there. `quiet`, `canary`, `sent`: what the newest durable moment is
   * known by. `nothing`: no WAL that leads on from a backup is there.
   */
  readonly basis: 'all-durable' | 'quiet' | 'canary' | 'sent' | 'nothing';
  readonly durable_at: string | null;
  /** The newest canary that is durable. */
  readonly canary: number | null;
}

export function liveRpo({ now, durable, source, canaries, quietUntil }: RpoGiven): LiveRpo {
  const end = durable.lsn === null ? undefined : parseLsn(durable.lsn);
  if (end === undefined || durable.timeline === null) {
    return { seconds: null, basis: 'nothing', durable_at: null, canary: null };
  }
  const held = canaries.findLast(
    ({ timeline, lsn }) =>
      timeline < (durable.timeline ?? 0) || (timeline === durable.timeline && (parseLsn(lsn) ?? end + 1n) <= end),
  );
  const canary = held?.sequence ?? null;
  const flushed = source?.timeline === durable.timeline ? parseLsn(source.flushedLsn) : undefined;
  if (flushed !== undefined && flushed <= end) {
    return { seconds: 0, basis: 'all-durable', durable_at: now.toISOString(), canary };
  }
  const isNewest = held !== undefined && held === canaries.at(-1);
  const moments = [
    { basis: 'sent', at: durable.at },
    { basis: 'canary', at: held?.written_at ?? null },
    { basis: 'quiet', at: isNewest ? quietUntil : null },
  ] as const;
  let best: { readonly basis: LiveRpo['basis']; readonly ms: number } | undefined;
  for (const { basis, at } of moments) {
    const ms = at === null ? Number.NaN : Date.parse(at);
    if (!Number.isNaN(ms) && (best === undefined || ms > best.ms)) best = { basis, ms };
  }
  if (best === undefined) return { seconds: null, basis: 'nothing', durable_at: null, canary };
  return {
    seconds: Math.max(0, Math.round(now.getTime() - best.ms) / 1000),
    basis: best.basis,
    durable_at: new Date(best.ms).toISOString(),
    canary,
  };
}

export type Standing = 'met' | 'at-risk' | 'missed';

/** Of a number that must not pass its objective; `warnPart` of it is time to look. */
export const standingOf = (value: number | null, objective: number, warnPart: number): Standing =>
  value === null || value > objective ? 'missed' : value > objective * warnPart ? 'at-risk' : 'met';

/** The RPO of the cluster, of those of its places that count by `copy_policy`: that of the worst which has to have it. */
export function rpoOfPlaces(
  policy: 'all' | 'quorum' | 'best-effort',
  places: readonly { readonly required: boolean; readonly seconds: number | null }[],
): number | null {
  const [first] = places;
  if (first === undefined) return null;
  if (policy === 'best-effort') return first.seconds;
  const ages = places
    .filter((place, at) => at === 0 || place.required)
    .map(({ seconds }) => seconds ?? Number.POSITIVE_INFINITY)
    .toSorted((a, b) => a - b);
  const wanted = policy === 'all' ? ages.length : Math.floor(ages.length / 2) + 1;
  const worst = Math.max(
    ages[wanted - 1] ?? Number.POSITIVE_INFINITY,
    policy === 'quorum' ? (first.seconds ?? Number.POSITIVE_INFINITY) : 0,
  );
  return Number.isFinite(worst) ? worst : null;
}
