// One figure over time, drawn by uPlot; for whoever does not see it the first, the least, the most and the last in words.
//
// 1. Colours come from the page's own variables, and are taken anew when they change.
// 2. Whoever points at it reads moment and figure in its heading; a hole is where nothing was measured.

import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePreferences } from '../shell/preferences.tsx';
import { fullMoment, type Zone } from '../wording.ts';

export interface Point {
  readonly at: number;
  readonly value: number | null;
}

/** Steps of a scale in bytes. */
export const BINARY: readonly number[] = Array.from({ length: 51 }, (_, power) => 2 ** power);
export const WHOLE: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
/** Of seconds. */
export const CLOCK: readonly number[] = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800,
  86_400,
];
const HEIGHT = 180;
const SMALL_HEIGHT = 150;

export function Trend({
  title,
  points,
  tell,
  most,
  steps,
  goal,
  small = false,
}: {
  readonly title: string;
  readonly points: readonly Point[];
  readonly tell: (value: number) => string;
  /** The top of the scale, where there is one. */
  readonly most?: number;
  /** Between the lines of the scale; without it, what suits decimals. */
  readonly steps?: readonly number[];
  /** A line that should not be passed; shown where it is near. */
  readonly goal?: number;
  readonly small?: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [pointed, point] = useState<number>();
  const { zone, theme } = usePreferences();
  const height = small ? SMALL_HEIGHT : HEIGHT;
  const known = points.flatMap(({ at, value }) => (value === null ? [] : [{ at, value }]));
  const isDrawn = known.length >= 2;
  useEffect(() => {
    const element = box.current;
    if (element === null || !isDrawn) return;
    const style = getComputedStyle(element);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const [ink, line, accent, bad] = [colour('--muted'), colour('--line'), colour('--accent'), colour('--bad')];
    const font = `12px ${style.fontFamily}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const span = ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)) / 1000;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
        ...(zone === 'utc' ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'UTC') } : {}),
        scales: { y: { range: (_chart, _least, top) => [0, most ?? (top <= 0 ? 1 : top * 1.15)] } },
        axes: [
          {
            ...axis,
            space: 90,
            size: 30,
            values: (_chart, values) => values.map((value) => tickOf(value, span, zone)),
          },
          {
            ...axis,
            size: 72,
            gap: 8,
            ...(steps === undefined ? {} : { incrs: [...steps] }),
            values: (_chart, values) => values.map((value) => tell(value)),
          },
        ],
        series: [
          {},
          {
            stroke: accent,
            width: 2,
            fill: `color-mix(in srgb, ${accent} 14%, transparent)`,
            points: { show: known.length < 60, size: 5, fill: accent },
            spanGaps: false,
          },
        ],
        hooks: {
          setCursor: [({ cursor: { idx } }) => point(idx ?? undefined)],
          draw: [
            (drawn) => {
              if (goal === undefined) return;
              const y = Math.round(drawn.valToPos(goal, 'y', true));
              if (y < drawn.bbox.top) return;
              drawn.ctx.save();
              drawn.ctx.strokeStyle = bad;
              drawn.ctx.setLineDash([6, 4]);
              drawn.ctx.beginPath();
              drawn.ctx.moveTo(drawn.bbox.left, y);
              drawn.ctx.lineTo(drawn.bbox.left + drawn.bbox.width, y);
              drawn.ctx.stroke();
              drawn.ctx.restore();
            },
          ],
        },
      },
      [points.map(({ at }) => at / 1000), points.map(({ value }) => value)],
      element,
    );
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [points, tell, zone, theme, height, most, steps, goal, isDrawn, known.length]);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined || !isDrawn) {
    return (
      <figure className="trend">
        <figcaption>
          <span>{title}</span>
          {last !== undefined && <strong>{tell(last.value)}</strong>}
        </figcaption>
        <p className="trend-none">It is drawn from the second figure on.</p>
      </figure>
    );
  }
  const values = known.map(({ value }) => value);
  const words = `${title}: ${known.length} measured, ${tell(first.value)} at first (${fullMoment(first.at, zone)}), at least ${tell(Math.min(...values))}, at most ${tell(Math.max(...values))}, ${tell(last.value)} last.`;
  const at = pointed === undefined ? undefined : points[pointed];
  const shown = at === undefined || at.value === null ? { at: last.at, value: last.value } : at;
  return (
    <figure className="trend">
      <figcaption>
        <span>{title}</span>
        <strong>{tell(shown.value ?? 0)}</strong>
        <span className="trend-at">{at === undefined ? 'last' : fullMoment(shown.at, zone)}</span>
      </figcaption>
      <div ref={box} role="img" aria-label={words} className={small ? 'chart small' : 'chart'} />
    </figure>
  );
}

function tickOf(seconds: number, span: number, zone: Zone): string {
  const options: Intl.DateTimeFormatOptions =
    span < 600
      ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
      : span < 36 * 3600
        ? { hour: '2-digit', minute: '2-digit' }
        : { day: 'numeric', month: 'short' };
  return new Intl.DateTimeFormat('en-GB', { ...options, ...(zone === 'utc' ? { timeZone: 'UTC' } : {}) }).format(
    seconds * 1000,
  );
}
