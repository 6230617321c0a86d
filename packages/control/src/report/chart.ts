// Charts as shapes: what stands where, and which part each shape plays. HTML and PDF draw the same ones. Pure.
//
// Nothing is told by colour alone: what failed has a cross, what passed a dot or a tick, and every chart has its content in words.

import type { ComplianceReport } from '@spillway/contract';
import { inDuration } from './wording.ts';

export type Role =
  | 'axis'
  | 'grid'
  | 'objective'
  | 'trend'
  | 'good'
  | 'bad'
  | 'warn'
  | 'none'
  | 'mark'
  | 'label'
  | 'ink';

export type Shape =
  | { readonly kind: 'line'; readonly points: readonly (readonly [x: number, y: number])[]; readonly role: Role }
  | {
      readonly kind: 'box';
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly role: Role;
    }
  | { readonly kind: 'dot'; readonly x: number; readonly y: number; readonly radius: number; readonly role: Role }
  | {
      readonly kind: 'text';
      readonly x: number;
      /** Of the line on which the letters stand. */
      readonly y: number;
      readonly text: string;
      readonly anchor: 'start' | 'middle' | 'end';
      readonly role: Role;
    };

export interface Chart {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** All it shows, in words. */
  readonly description: string;
  readonly shapes: readonly Shape[];
}

const WIDTH = 640;
const HEIGHT = 226;
const LEFT = 76;
const RIGHT = 620;
const TOP = 34;
const BOTTOM = 190;
/** Steps that people count in, in seconds. */
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];
const TICKS_MAX = 5;
const LABELLED_MONTHS = 2;

/** Undefined where nothing was measured: then there is nothing to draw. */
export function trendChart(report: ComplianceReport, objective: 'rto' | 'rpo'): Chart | undefined {
  const [measuredIn, targetIn] = [`${objective}_seconds`, `${objective}_objective_seconds`] as const;
  const points = report.trend.flatMap((each) => {
    const seconds = each[measuredIn];
    return seconds === null
      ? []
      : [{ at: Date.parse(each.at), seconds, target: each[targetIn], failed: each.result === 'failed' }];
  });
  if (points.length === 0) return undefined;
  const end = Date.parse(report.to);
  const start = Math.min(...points.map(({ at }) => at));
  const from = firstOfMonth(Math.min(start, firstOfMonth(end - 1)));
  const target = report.trend.map((each) => each[targetIn]).findLast((each) => each !== null) ?? null;
  const highest = Math.max(...points.map(({ seconds }) => seconds), target ?? 0, 1) * 1.12;
  const step = STEPS.find((each) => highest / each <= TICKS_MAX) ?? highest / TICKS_MAX;
  const x = (at: number): number => round(LEFT + ((at - from) / (end - from)) * (RIGHT - LEFT));
  const y = (seconds: number): number => round(BOTTOM - (seconds / highest) * (BOTTOM - TOP));
  const shapes: Shape[] = [];
  for (let tick = 0; tick <= highest; tick += step) {
    shapes.push({
      kind: 'line',
      points: [
        [LEFT, y(tick)],
        [RIGHT, y(tick)],
      ],
      role: tick === 0 ? 'axis' : 'grid',
    });
    shapes.push({ kind: 'text', x: LEFT - 8, y: y(tick) + 4, text: inDuration(tick), anchor: 'end', role: 'label' });
  }
  const months = monthsBetween(from, end);
  for (const [n, month] of months.entries()) {
    if (months.length > 6 && n % LABELLED_MONTHS === 1) continue;
    const label = new Date(month).toISOString().slice(0, 7);
    shapes.push({
      kind: 'line',
      points: [
        [x(month), BOTTOM],
        [x(month), BOTTOM + 5],
      ],
      role: 'axis',
    });
    shapes.push({ kind: 'text', x: x(month), y: BOTTOM + 20, text: label, anchor: 'start', role: 'label' });
  }
  if (target !== null) {
    const line = [LEFT, RIGHT].map((at) => [at, y(target)] as const);
    shapes.push({ kind: 'line', points: line, role: 'objective' });
    // Above all points, so that none is hidden.
    shapes.push({ kind: 'line', points: [[LEFT, 12] as const, [LEFT + 36, 12] as const], role: 'objective' });
    const words = `objective ${inDuration(target)}`;
    shapes.push({ kind: 'text', x: LEFT + 44, y: 16, text: words, anchor: 'start', role: 'ink' });
  }
  if (points.length > 1) {
    shapes.push({ kind: 'line', points: points.map(({ at, seconds }) => [x(at), y(seconds)] as const), role: 'trend' });
  }
  for (const { at, seconds, target: own, failed } of points) {
    const isBad = failed || (own ?? target ?? Number.POSITIVE_INFINITY) < seconds;
    if (isBad) shapes.push(...cross(x(at), y(seconds), 5, 'bad'));
    else shapes.push({ kind: 'dot', x: x(at), y: y(seconds), radius: 4.5, role: 'good' });
  }
  const told = points.map(
    (each) =>
      `${new Date(each.at).toISOString().slice(0, 10)}: ${inDuration(each.seconds)}${each.failed ? ', failed' : ''}`,
  );
  return {
    width: WIDTH,
    height: HEIGHT,
    title: `${objective.toUpperCase()} measured in drills and restores`,
    description: `${target === null ? 'No objective is recorded' : `Objective: ${inDuration(target)}`}. ${told.join('; ')}.`,
    shapes,
  };
}

const CELL = 18;
const GAP = 2.6;

/** A box a day: a tick, a cross, both, or nothing. */
export function dayStrip({ days, month }: ComplianceReport): Chart {
  const shapes = days.flatMap(({ day, state }, n): Shape[] => {
    const x = round(n * (CELL + GAP) + 1);
    const role = ({ passed: 'good', failed: 'bad', mixed: 'warn', none: 'none', future: 'none' } as const)[state];
    const box: Shape[] = state === 'future' ? [] : [{ kind: 'box', x, y: 2, width: CELL, height: CELL, role }];
    const label: Shape = {
      kind: 'text',
      x: x + CELL / 2,
      y: 36,
      text: String(Number(day.slice(8))),
      anchor: 'middle',
      role: 'label',
    };
    return [...box, ...markOf(state, x + CELL / 2, 2 + CELL / 2), label];
  });
  const on = (state: string): string =>
    days
      .filter((each) => each.state === state)
      .map(({ day }) => String(Number(day.slice(8))))
      .join(', ') || 'none';
  return {
    width: round(days.length * (CELL + GAP) + 2),
    height: 42,
    title: `The days of ${month}`,
    description: `Days on which all that was recorded passed: ${on('passed')}. All failed: ${on('failed')}. Some failed: ${on('mixed')}. Without a record: ${on('none')}.`,
    shapes,
  };
}

function markOf(state: ComplianceReport['days'][number]['state'], x: number, y: number): readonly Shape[] {
  if (state === 'passed') {
    return [
      {
        kind: 'line',
        points: [
          [x - 4.5, y],
          [x - 1.5, y + 3.5],
          [x + 4.5, y - 3.5],
        ],
        role: 'mark',
      },
    ];
  }
  if (state === 'failed') return cross(x, y, 4, 'mark');
  if (state === 'mixed') {
    return [
      {
        kind: 'line',
        points: [
          [x, y - 5],
          [x, y + 1],
        ],
        role: 'mark',
      },
      { kind: 'dot', x, y: y + 4.4, radius: 1.3, role: 'mark' },
    ];
  }
  return [];
}

const cross = (x: number, y: number, size: number, role: Role): readonly Shape[] => [
  {
    kind: 'line',
    points: [
      [x - size, y - size],
      [x + size, y + size],
    ],
    role,
  },
  {
    kind: 'line',
    points: [
      [x - size, y + size],
      [x + size, y - size],
    ],
    role,
  },
];

function firstOfMonth(at: number): number {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

function monthsBetween(from: number, end: number): readonly number[] {
  const months: number[] = [];
  for (let at = new Date(from); at.getTime() < end; at.setUTCMonth(at.getUTCMonth() + 1)) months.push(at.getTime());
  return months;
}

const round = (value: number): number => Math.round(value * 100) / 100;
