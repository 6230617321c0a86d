// One figure over time, drawn by uPlot; for whoever does not see it the first, the least, the most and the last in words.
//
// Colours come from the page's own variables, and are taken anew when they change.

import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePreferences } from '../shell/preferences.tsx';
import { fullMoment } from '../wording.ts';

export interface Point {
  readonly at: number;
  readonly value: number;
}

const HEIGHT = 190;

export function Trend({
  title,
  points,
  tell,
}: {
  readonly title: string;
  readonly points: readonly Point[];
  readonly tell: (value: number) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const { zone, theme } = usePreferences();
  useEffect(() => {
    const element = box.current;
    if (element === null || points.length < 2) return;
    const style = getComputedStyle(element);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const [ink, line, accent] = [colour('--muted'), colour('--line'), colour('--accent')];
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        ...(zone === 'utc' ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'UTC') } : {}),
        scales: { y: { range: (_chart, _least, most) => [0, most <= 0 ? 1 : most * 1.15] } },
        axes: [axis, { ...axis, size: 84, values: (_chart, values) => values.map((value) => tell(value)) }],
        series: [{}, { stroke: accent, width: 2, points: { show: points.length < 80, size: 6, fill: accent } }],
      },
      [points.map(({ at }) => at / 1000), points.map(({ value }) => value)],
      element,
    );
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [points, tell, zone, theme]);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return null;
  const values = points.map(({ value }) => value);
  const words = `${title}: ${points.length} measured, ${tell(first.value)} at first (${fullMoment(first.at, zone)}), at least ${tell(Math.min(...values))}, at most ${tell(Math.max(...values))}, ${tell(last.value)} last.`;
  return (
    <figure className="trend">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={words} />
    </figure>
  );
}
