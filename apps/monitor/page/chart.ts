// Readings of one sensor as a live chart: the mean as a line, what was between the least and the greatest as a band.
// Gaps in the data are gaps in the line. What the canvas shows is told in words too.

import type uPlot from 'uplot';
import type { Sensor, Series } from './api.ts';
import { element, part } from './dom.ts';
import { number } from './words.ts';

declare global {
  interface Window {
    /** Of the chart library, which index.html loads before the page. */
    readonly uPlot: typeof uPlot;
  }
}

const HEIGHT = 250;
const GAP_BUCKETS = 3.5;

export class Chart {
  readonly #parent = part('chart');
  readonly #summary = part('chart-summary');
  #plot: uPlot | undefined;
  #shown: { readonly sensor: Sensor; readonly series: Series } | undefined;

  constructor() {
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#parent.clientWidth, height: HEIGHT })).observe(
      this.#parent,
    );
    // Colours are painted, so another scheme paints them again.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      const shown = this.#shown;
      this.clear();
      if (shown !== undefined) this.show(shown.sensor, shown.series);
    });
  }

  show(sensor: Sensor, series: Series): void {
    const isSame = this.#shown?.sensor.id === sensor.id;
    this.#shown = { sensor, series };
    const columns = columnsOf(series);
    if (isSame && this.#plot !== undefined) this.#plot.setData(columns);
    else {
      this.#plot?.destroy();
      this.#plot = new window.uPlot(optionsOf(sensor, this.#parent), columns, this.#parent);
    }
    const { points } = series;
    this.#parent.setAttribute('role', 'img');
    this.#parent.setAttribute('aria-label', `Chart of ${sensor.code}, ${sensor.place}`);
    if (points.length === 0) this.#summary.textContent = 'No readings in this range.';
    else {
      const least = Math.min(...points.map(({ min }) => min));
      const most = Math.max(...points.map(({ max }) => max));
      const mean = points.reduce((sum, point) => sum + point.mean, 0) / points.length;
      this.#summary.replaceChildren(
        ...figure('least', least, sensor.unit),
        ...figure('mean', mean, sensor.unit),
        ...figure('greatest', most, sensor.unit),
        ...figure('normal', sensor.nominal_value, sensor.unit),
      );
    }
  }

  clear(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#shown = undefined;
  }
}

const figure = (name: string, value: number, unit: string): readonly (Node | string)[] => [
  element('span', {}, `${name} `, element('b', {}, number(value)), ` ${unit}`),
  ' ',
];

/** A row of nothing goes between two points too far apart, which breaks the line. */
function columnsOf({ points, bucket_seconds: width }: Series): uPlot.AlignedData {
  const at: number[] = [];
  const means: (number | null)[] = [];
  const least: (number | null)[] = [];
  const most: (number | null)[] = [];
  // Readings may come less often than a bucket is wide: what is usual is no gap.
  const seconds = points.map((point) => Date.parse(point.at) / 1000);
  const steps = seconds.slice(1).map((second, index) => second - (seconds[index] ?? second));
  const usual = steps.toSorted((a, b) => a - b)[Math.floor(steps.length / 2)] ?? width;
  for (const [index, point] of points.entries()) {
    const second = seconds[index] ?? 0;
    const before = at.at(-1);
    if (before !== undefined && second - before > Math.max(usual, width) * GAP_BUCKETS) {
      at.push(before + width);
      for (const column of [means, least, most]) column.push(null);
    }
    at.push(second);
    means.push(point.mean);
    least.push(point.min);
    most.push(point.max);
  }
  return [at, means, least, most];
}

function optionsOf(sensor: Sensor, parent: HTMLElement): uPlot.Options {
  const colour = (name: string): string => paintOf(parent, name);
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  const value = (_: uPlot, raw: number | null): string => (raw === null ? '–' : `${number(raw)} ${sensor.unit}`);
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => roomAround(low, high, sensor.nominal_value) } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(tickText) },
      { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => number(tick)) },
    ],
    series: [
      { value: '{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}' },
      { label: `${sensor.code} mean`, stroke: colour('--accent'), width: 2, points: { show: false }, value },
      { label: 'least', stroke: 'transparent', points: { show: false }, value },
      { label: 'greatest', stroke: 'transparent', points: { show: false }, value },
    ],
    bands: [{ series: [3, 2], fill: colour('--band') }],
  };
}

/** The time of day; at midnight the date. */
function tickText(seconds: number): string {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() + at.getMinutes() === 0;
  return isMidnight
    ? at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
    : at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** A custom property as a colour that a canvas understands: the browser resolves it, whatever the scheme. */
function paintOf(parent: HTMLElement, name: string): string {
  const probe = element('span');
  probe.style.color = `var(${name})`;
  parent.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** A little air above and below, and never a range so narrow that noise looks like news. */
function roomAround(low: number | null, high: number | null, nominal: number): [number, number] {
  const [least, most] = [low ?? nominal, high ?? nominal];
  const room = Math.max((most - least) * 0.12, Math.abs(nominal) * 0.02, 0.02);
  return [least - room, most + room];
}
