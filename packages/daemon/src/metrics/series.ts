// What the servers of a cluster did lately, kept in memory for the console: readings become rates, and the newest of them stay.
//
// 1. Counters of PostgreSQL only rise; one that fell was reset, and says nothing until the next reading.
// 2. A server that did not answer leaves a hole, and its next reading is a first one again.

import type { ServerFigures, ServerSeen } from '@spillway/control';

export interface Rates {
  readonly commitsPerSecond: number | null;
  readonly rollbacksPerSecond: number | null;
  readonly hitRatio: number | null;
}

export interface SeriesPoint {
  readonly at: number;
  readonly connections: number | null;
  readonly commitsPerSecond: number | null;
  readonly hitRatio: number | null;
}

export interface ServersNow {
  readonly at: number;
  readonly servers: readonly (ServerSeen & { readonly rates: Rates })[];
}

const POINTS_MAX = 720;
const UNKNOWN: Rates = { commitsPerSecond: null, rollbacksPerSecond: null, hitRatio: null };

export class ServerSeries {
  #now: ServersNow | undefined;
  readonly #points: SeriesPoint[] = [];

  get now(): ServersNow | undefined {
    return this.#now;
  }

  get points(): readonly SeriesPoint[] {
    return this.#points;
  }

  take(at: number, seen: readonly ServerSeen[]): void {
    const before = this.#now;
    const servers = seen.map((server) => {
      const was = before?.servers.find((each) => each.server === server.server)?.figures;
      return { ...server, rates: before === undefined ? UNKNOWN : ratesOf(was, server.figures, at - before.at) };
    });
    this.#now = { at, servers };
    const [first] = servers;
    this.#points.push({
      at,
      connections: first?.figures?.connections ?? null,
      commitsPerSecond: first?.rates.commitsPerSecond ?? null,
      hitRatio: first?.rates.hitRatio ?? null,
    });
    if (this.#points.length > POINTS_MAX) this.#points.shift();
  }
}

export function ratesOf(was: ServerFigures | undefined, is: ServerFigures | undefined, ms: number): Rates {
  if (was === undefined || is === undefined || ms <= 0) return UNKNOWN;
  const rose = (of: (figures: ServerFigures) => number): number | null => {
    const by = of(is) - of(was);
    return by < 0 ? null : by;
  };
  const perSecond = (by: number | null): number | null => (by === null ? null : (by * 1000) / ms);
  const [hit, read] = [rose(({ blocksHit }) => blocksHit), rose(({ blocksRead }) => blocksRead)];
  return {
    commitsPerSecond: perSecond(rose(({ committed }) => committed)),
    rollbacksPerSecond: perSecond(rose(({ rolledBack }) => rolledBack)),
    hitRatio: hit === null || read === null || hit + read === 0 ? null : hit / (hit + read),
  };
}
