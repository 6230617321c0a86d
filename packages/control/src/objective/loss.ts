// What a restore lost, by canaries: the newest one in the restored cluster against the newest that was acknowledged.
//
// 1. Who was answered says what was acknowledged: the source, where it still lives; else the state file of the process
//    that wrote the canaries; else the record that it left in the repository, which is up to a minute old.
//    A state file says all of it only where its writer saw the source go: one that went first knows nothing of what came after.
// 2. A canary of a timeline that the restored cluster does not come from, or from behind the place where that timeline was left, was
//    lost when it was left, and not by this restore: it is no witness.
// 3. The loss is the time between the two by the source's own clock. It is as exact as canaries lie close: what was
//    committed behind the newest of them lies within `within_seconds`.
// 4. Nothing is made up: where no witness is left the loss is unknown, and the record alone says that it is at least so much.
// Pure.

import { parseLsn, type WayStretch } from '@spillway/engine';

export interface CanarySeen {
  readonly sequence: number;
  /** The source's clock. */
  readonly written_at: string;
}

export interface Witness extends CanarySeen {
  readonly by: 'source' | 'state-file' | 'repository';
  /** Null where only the row is known. */
  readonly timeline: number | null;
  readonly lsn: string | null;
  /** For how long behind it there may have been commits that it knows nothing of; null where there is no end to that. */
  readonly withinSeconds: number | null;
}

export interface LossGiven {
  /** In the restored cluster; undefined where it has none, or could not be asked. */
  readonly found: CanarySeen | undefined;
  readonly witnesses: readonly Witness[];
  /** The way that the restore took; empty where it is not known. */
  readonly way: readonly WayStretch[];
  /** Whether it went to the end of WAL: else what lies behind the target was given up on purpose. */
  readonly toTheEnd: boolean;
}

export interface Loss {
  /** `exact`: to within `within_seconds`. `at-least`: nobody knows whether there were newer ones. */
  readonly certainty: 'exact' | 'at-least' | 'unknown';
  /** Null where it is unknown. */
  readonly seconds: number | null;
  readonly canaries: number | null;
  readonly within_seconds: number | null;
  /** Whether it was chosen: the target lies before the end of WAL. */
  readonly chosen: boolean;
  readonly newest_found: CanarySeen | null;
  readonly newest_acknowledged: (CanarySeen & { readonly by: Witness['by'] }) | null;
  readonly why: string;
}

const TRUST: Readonly<Record<Witness['by'], number>> = { source: 3, 'state-file': 2, repository: 1 };
const WORDS: Readonly<Record<Witness['by'], string>> = {
  source: 'the source, which still answers',
  'state-file': 'the process that wrote it, in its state file',
  repository: 'the record in the repository, up to a minute old',
};

export function measureLoss({ found, witnesses, way, toTheEnd }: LossGiven): Loss {
  const onWay = witnesses.filter((witness) => isOnWay(witness, way));
  const newest = newestOf(onWay);
  const base = {
    chosen: !toTheEnd,
    within_seconds: newest?.withinSeconds ?? null,
    newest_found: found === undefined ? null : { sequence: found.sequence, written_at: found.written_at },
    newest_acknowledged:
      newest === undefined ? null : { sequence: newest.sequence, written_at: newest.written_at, by: newest.by },
  };
  const unknown = (why: string): Loss => ({ ...base, certainty: 'unknown', seconds: null, canaries: null, why });
  if (newest === undefined) {
    return unknown(
      witnesses.length === 0
        ? 'nobody is left who was answered: neither the source, nor a state file, nor a record in the repository'
        : 'the canaries that are known were on a timeline that was left before; what came after them was lost then',
    );
  }
  if (found === undefined) return unknown('the restored cluster has no canary, or could not be asked for it');
  if (found.sequence > newest.sequence) {
    const why = `the restored cluster has a newer canary than ${WORDS[newest.by]} knows of`;
    return { ...base, within_seconds: null, certainty: 'at-least', seconds: 0, canaries: 0, why };
  }
  return {
    ...base,
    certainty: newest.withinSeconds === null ? 'at-least' : 'exact',
    seconds: Math.max(0, Math.round(Date.parse(newest.written_at) - Date.parse(found.written_at)) / 1000),
    canaries: newest.sequence - found.sequence,
    why: `by ${WORDS[newest.by]}${newest.by === 'state-file' && newest.withinSeconds === null ? ', which did not see the source go' : ''}`,
  };
}

/** What a record of evidence may call RPO: measured, and not given up on purpose. */
export const rpoOf = ({ certainty, seconds, chosen }: Loss): number | null =>
  certainty === 'exact' && !chosen ? seconds : null;

/** The highest number; of equal ones the word of whoever knows best. */
function newestOf(witnesses: readonly Witness[]): Witness | undefined {
  let best: Witness | undefined;
  for (const witness of witnesses) {
    const newer =
      best === undefined ||
      (witness.timeline !== null && best.timeline !== null && witness.timeline !== best.timeline
        ? witness.timeline > best.timeline
        : witness.sequence !== best.sequence
          ? witness.sequence > best.sequence
          : TRUST[witness.by] > TRUST[best.by]);
    if (newer) best = witness;
  }
  return best;
}

function isOnWay({ timeline, lsn }: Witness, way: readonly WayStretch[]): boolean {
  if (timeline === null || way.length === 0) return true;
  const stretch = way.find((each) => each.timeline === timeline);
  if (stretch === undefined) return false;
  if (stretch.left_at === null || lsn === null) return true;
  return (parseLsn(lsn) ?? 0n) <= (parseLsn(stretch.left_at) ?? 0n);
}
