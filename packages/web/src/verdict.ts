// The one sentence that the console opens with: are we recoverable, to when, how fast, and when was it last proven. Pure.
//
// 1. A cluster that cannot be recovered comes before one whose objective is missed, that before one that nobody knows of, that
//    before one at risk, and that before one that is well: the worst decides the tone and is named.
// 2. What was not proven is never told as if it were: an expectation says that it is one.

import type { ClusterOverviewDocument, StatusDocument } from '@spillway/contract';
import { duration, moment, relative, type Zone } from './wording.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'unknown';

export interface Known {
  readonly overview: ClusterOverviewDocument;
  /** Undefined as long as it is not known, or could not be. */
  readonly status: StatusDocument | undefined;
}

export interface Verdict {
  readonly tone: Tone;
  readonly headline: string;
  readonly detail: string;
}

const ranks: Readonly<Record<Tone, number>> = { bad: 3, unknown: 2, warn: 1, good: 0 };

export function toneOf({ overview, status }: Known): Tone {
  if (overview.recoverable === null) return 'unknown';
  if (!overview.recoverable || status?.verdict === 'missed') return 'bad';
  if (overview.problems.length > 0 || overview.gaps !== 0 || status?.verdict === 'at-risk') return 'warn';
  return 'good';
}

/** The worst first, then by name. */
export const problemsFirst = (known: readonly Known[]): readonly Known[] =>
  known.toSorted(
    (a, b) =>
      Number(b.overview.recoverable === false) - Number(a.overview.recoverable === false) ||
      ranks[toneOf(b)] - ranks[toneOf(a)] ||
      (a.overview.name < b.overview.name ? -1 : 1),
  );

export function verdictOf(known: readonly Known[], now: number, zone: Zone): Verdict {
  const [worst, ...others] = problemsFirst(known);
  if (worst === undefined) {
    return {
      tone: 'unknown',
      headline: 'No cluster is configured',
      detail: 'Name one under clusters in spillway.yaml and start the service again.',
    };
  }
  const tone = toneOf(worst);
  const { name, latest_at: latest, recoverable } = worst.overview;
  const lost = known.filter(({ overview }) => overview.recoverable === false).length;
  const unknown = known.filter(({ overview }) => overview.recoverable === null).length;
  if (recoverable === false) {
    return {
      tone,
      headline:
        others.length === 0 ? `${name} cannot be recovered` : `${lost} of ${known.length} clusters cannot be recovered`,
      detail: `${others.length === 0 ? '' : `${name}: `}${worst.overview.problems[0] ?? 'No backup has the WAL it needs.'}`,
    };
  }
  if (unknown === known.length) {
    return {
      tone,
      headline: 'Nobody can say what can be recovered',
      detail: worst.overview.repository_error ?? 'The repository could not be asked.',
    };
  }
  const reach = furthestBehind(known);
  const subject =
    others.length === 0
      ? name
      : unknown === 0
        ? `All ${known.length} clusters`
        : `${known.length - unknown} of ${known.length} clusters`;
  const at = reach?.latest_at ?? latest;
  const when = at === null ? '' : ` to ${moment(Date.parse(at), now, zone)}, ${relative(Date.parse(at), now)}`;
  const least = others.length === 0 || reach === undefined ? '' : ` (${reach.name} is furthest behind)`;
  return { tone, headline: `${subject} can be recovered${when}${least}`, detail: howFast(known, now) };
}

const furthestBehind = (known: readonly Known[]): ClusterOverviewDocument | undefined =>
  known
    .map(({ overview }) => overview)
    .filter((each) => each.latest_at !== null)
    .toSorted((a, b) => ((a.latest_at ?? '') < (b.latest_at ?? '') ? -1 : 1))[0];

/** Of the cluster that takes longest. */
function howFast(known: readonly Known[], now: number): string {
  const slowest = known
    .flatMap(({ status }) => {
      const [whole] = status?.rto.scenarios ?? [];
      return status === undefined || whole === undefined ? [] : [{ cluster: status.cluster, whole }];
    })
    .toSorted((a, b) => b.whole.expected_seconds - a.whole.expected_seconds)[0];
  if (slowest === undefined) return 'How long a restore takes is not known yet.';
  const { cluster, whole } = slowest;
  const who = known.length === 1 ? '' : ` of ${cluster}`;
  const within = `the objective is ${duration(whole.objective_seconds)}`;
  const { proof } = whole;
  if (proof === null) {
    return `No restore${who} has been proven yet; ${duration(whole.expected_seconds)} is expected, ${within}.`;
  }
  return `A restore${who} was last proven ${relative(Date.parse(proof.at), now)} and took ${duration(proof.seconds)}; ${within}.`;
}

export interface Answers {
  readonly all: number;
  readonly recoverable: number;
  /** Of the cluster that is furthest behind; undefined where one cannot be recovered at all. */
  readonly reach: { readonly cluster: string; readonly at: string } | undefined;
  /** Of the cluster that takes longest. */
  readonly slowest:
    | { readonly cluster: string; readonly seconds: number; readonly objective: number; readonly isMeasured: boolean }
    | undefined;
  /** The oldest of the clusters' newest proofs; undefined where one has none. */
  readonly proof: { readonly cluster: string; readonly at: string; readonly seconds: number } | undefined;
}

/** The same in figures: each is that of the worst cluster, so that no good one hides a bad one. */
export function answersOf(known: readonly Known[]): Answers {
  const behind = furthestBehind(known);
  const isAll = known.every(({ overview }) => overview.recoverable === true);
  const wholes = known.flatMap(({ status }) => {
    const [whole] = status?.rto.scenarios ?? [];
    return status === undefined || whole === undefined ? [] : [{ cluster: status.cluster, whole }];
  });
  const [slowest] = wholes.toSorted((a, b) => b.whole.expected_seconds - a.whole.expected_seconds);
  const proofs = wholes.flatMap(({ cluster, whole: { proof } }) => (proof === null ? [] : [{ cluster, ...proof }]));
  const [oldest] = proofs.toSorted((a, b) => (a.at < b.at ? -1 : 1));
  return {
    all: known.length,
    recoverable: known.filter(({ overview }) => overview.recoverable === true).length,
    reach:
      isAll && behind !== undefined && behind.latest_at !== null
        ? { cluster: behind.name, at: behind.latest_at }
        : undefined,
    slowest: slowest && {
      cluster: slowest.cluster,
      seconds: slowest.whole.expected_seconds,
      objective: slowest.whole.objective_seconds,
      isMeasured: slowest.whole.basis === 'measured',
    },
    proof: oldest !== undefined && proofs.length === known.length ? oldest : undefined,
  };
}
