// From the samples of all rounds to medians, ratios and goals. Pure.
//
// A ratio is the median of ours divided by the median of theirs: below 1 we take less. A goal is always a most, and one
// whose peer did not take part is not judged.

import type { Measurement } from './measure.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { type Statistic, statistic } from './statistic.ts';

export interface Sample extends Measurement {
  readonly scenario: string;
  readonly peer: string;
  /** What the peer's store grew by. */
  readonly storedBytes: number;
}

export interface Result {
  readonly scenario: string;
  readonly peer: string;
  readonly seconds: Statistic;
  readonly cpuSeconds: Statistic;
  readonly serverCpuSeconds: Statistic;
  readonly peakBytes: Statistic;
  readonly storedBytes: Statistic;
}

/** One comparison of ours with a peer; `scenario` ends in `-bytes` where bytes stored are compared, else it is seconds. */
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

export function summarise(samples: readonly Sample[]): readonly Result[] {
  const groups = Map.groupBy(samples, ({ scenario, peer }) => `${scenario}\0${peer}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [
      {
        scenario: first.scenario,
        peer: first.peer,
        seconds: statistic(group.map(({ seconds }) => seconds)),
        cpuSeconds: statistic(group.map(({ cpuSeconds }) => cpuSeconds)),
        serverCpuSeconds: statistic(group.map(({ serverCpuSeconds }) => serverCpuSeconds)),
        peakBytes: statistic(group.map(({ peakBytes }) => peakBytes)),
        storedBytes: statistic(group.map(({ storedBytes }) => storedBytes)),
      },
    ];
  });
}

/** Ours against each peer that has results, in the order of the scenarios. */
export function compare(
  scenarios: readonly Pick<Scenario, 'name' | 'goals'>[],
  results: readonly Result[],
  ours: string,
): readonly Comparison[] {
  return scenarios.flatMap(({ name, goals }) => {
    const own = results.find(({ scenario, peer }) => scenario === name && peer === ours);
    if (own === undefined) return [];
    const others = results.filter(({ scenario, peer }) => scenario === name && peer !== ours);
    return others.flatMap((other) => {
      const promised = goals.filter(({ against }) => against === other.peer);
      const inSeconds = promised.find(({ measure }) => measure === 'seconds');
      const inBytes = promised.find(({ measure }) => measure === 'bytes');
      const seconds = comparison(name, other.peer, own.seconds, other.seconds, inSeconds?.most);
      if (inBytes === undefined) return [seconds];
      return [seconds, comparison(`${name}-bytes`, other.peer, own.storedBytes, other.storedBytes, inBytes.most)];
    });
  });
}

function comparison(
  scenario: string,
  peer: string,
  { median: ours }: Statistic,
  { median: theirs }: Statistic,
  goal: number | undefined,
): Comparison {
  // Against nothing at all, only nothing is not infinitely more.
  const ratio = theirs === 0 ? (ours === 0 ? 1 : Number.MAX_VALUE) : ours / theirs;
  return { scenario, peer, ratio, goal: goal ?? null, met: goal === undefined ? null : ratio <= goal, ours, theirs };
}
