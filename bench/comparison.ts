// From the samples of all rounds to medians, ratios and goals. Pure.
//
// A ratio is the median of ours divided by the median of theirs: below 1 we take less. A goal is always a most. One
// whose peer did not take part is not judged but told (`unjudged`). A limit, a goal against a number and no peer, makes
// that number theirs and 1 the most.

import { FIGURES, type Figure, type Sample, suffixes } from './figures.ts';
import type { Goal, Part } from './scenarios/scenario.ts';
import { type Statistic, statistic } from './statistic.ts';

export interface Result {
  readonly scenario: string;
  readonly peer: string;
  readonly figures: { readonly [Name in Figure]?: Statistic };
}

/** One comparison of ours with a peer; `scenario` ends in `-bytes`, `-read` or `-memory` where that is compared, else it is seconds. */
export interface Comparison {
  readonly scenario: string;
  readonly peer: string;
  readonly ratio: number;
  /** Null where nothing was promised against that peer. */
  readonly goal: number | null;
  readonly met: boolean | null;
  readonly ours: number;
  readonly theirs: number;
}

/** Stands for the peer where a goal is a number. */
export const LIMIT = 'limit';

type Promising = Pick<Part, 'name' | 'goals'>;

export function summarise(samples: readonly Sample[]): readonly Result[] {
  const groups = Map.groupBy(samples, ({ scenario, peer }) => `${scenario}\0${peer}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const figures = FIGURES.flatMap((name) => {
      const values = group.map((sample) => sample[name]).filter((value) => value !== undefined);
      return values.length === 0 ? [] : [[name, statistic(values)] as const];
    });
    return [{ scenario: first.scenario, peer: first.peer, figures: Object.fromEntries(figures) }];
  });
}

/** Ours against each peer that has results, in the order of the scenarios, and then against the limits. */
export function compare(
  scenarios: readonly Promising[],
  results: readonly Result[],
  ours: string,
): readonly Comparison[] {
  return scenarios.flatMap(({ name, goals }) => {
    const own = results.find(({ scenario, peer }) => scenario === name && peer === ours);
    if (own === undefined) return [];
    const others = results.filter(({ scenario, peer }) => scenario === name && peer !== ours);
    const peers = others.flatMap((other) => {
      const promised = goals.filter((goal) => 'against' in goal && goal.against === other.peer);
      // The time is told of every peer; other figures where something was promised of them.
      return FIGURES.flatMap((measure) => {
        const goal = promised.find((one) => one.measure === measure);
        if (goal === undefined && measure !== 'seconds') return [];
        const [mine, theirs] = [own.figures[measure]?.median, other.figures[measure]?.median];
        if (mine === undefined || theirs === undefined) return [];
        return [comparison(name, other.peer, measure, mine, theirs, goal?.most)];
      });
    });
    const limits = goals.flatMap((goal) => {
      const mine = own.figures[goal.measure]?.median;
      return 'limit' in goal && mine !== undefined
        ? [comparison(name, LIMIT, goal.measure, mine, goal.limit, goal.most)]
        : [];
    });
    return [...peers, ...limits];
  });
}

/** Goals of these scenarios that no comparison judges. */
export function unjudged(
  scenarios: readonly Promising[],
  comparisons: readonly Comparison[],
): readonly { readonly scenario: string; readonly peer: string }[] {
  const judged = new Set(comparisons.map(({ scenario, peer }) => `${scenario}\0${peer}`));
  return scenarios.flatMap(({ name, goals }) =>
    goals
      .map((goal) => ({ scenario: name + suffixes[goal.measure], peer: peerOf(goal) }))
      .filter(({ scenario, peer }) => !judged.has(`${scenario}\0${peer}`)),
  );
}

const peerOf = (goal: Goal): string => ('against' in goal ? goal.against : LIMIT);

function comparison(
  scenario: string,
  peer: string,
  measure: Figure,
  ours: number,
  theirs: number,
  goal: number | undefined,
): Comparison {
  // Against nothing at all, only nothing is not infinitely more.
  const ratio = theirs === 0 ? (ours === 0 ? 1 : Number.MAX_VALUE) : ours / theirs;
  const met = goal === undefined ? null : ratio <= goal;
  return { scenario: scenario + suffixes[measure], peer, ratio, goal: goal ?? null, met, ours, theirs };
}
