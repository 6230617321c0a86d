// A picture of what the bench's JSON says: for each scenario a bar for us and one for every peer, and a mark where the goal is. Pure.
//
// 1. Within a scenario all bars have one unit and begin at zero; scenarios are not to be compared by length.
// 2. A goal against a peer stands at that part of the peer's bar, a limit at its number. Met or missed is said in words, so
//    that nothing hangs on colour.
// 3. Scenarios go into two columns, each into the shorter one. Light and dark follow the reader's setting.

import { type Comparison, LIMIT } from './comparison.ts';

const WIDTH = 960;
const MARGIN = 28;
const GUTTER = 40;
const COLUMN = (WIDTH - 2 * MARGIN - GUTTER) / 2;
const NAME_WIDTH = 112;
const VALUE_WIDTH = 76;
const TRACK = COLUMN - NAME_WIDTH - VALUE_WIDTH;
const TITLE_HEIGHT = 26;
const BAR_HEIGHT = 14;
const BAR_STEP = 20;
const GROUP_GAP = 26;
const HEAD_HEIGHT = 98;

export interface ChartWords {
  readonly title: string;
  /** What the figures are of: machine, source, day. */
  readonly caption: string;
  /** The name of ours. */
  readonly ours: string;
}

interface Bar {
  readonly name: string;
  readonly value: number;
  readonly own: boolean;
}

interface Goal {
  readonly at: number;
  readonly met: boolean;
  readonly told: string;
}

export interface Group {
  readonly name: string;
  readonly bars: readonly Bar[];
  readonly goals: readonly Goal[];
}

/** One group a scenario, in the order in which they come. */
export function groupsOf(comparisons: readonly Comparison[], ours: string): readonly Group[] {
  return [...Map.groupBy(comparisons, ({ scenario }) => scenario)].map(([name, rows]) => ({
    name,
    bars: [
      ...rows.slice(0, 1).map((row) => ({ name: ours, value: row.ours, own: true })),
      ...rows.filter(({ peer }) => peer !== LIMIT).map((row) => ({ name: row.peer, value: row.theirs, own: false })),
    ],
    goals: rows.flatMap(({ goal, met, theirs, peer }) =>
      goal === null
        ? []
        : [
            {
              at: goal * theirs,
              met: met === true,
              told: peer === LIMIT ? renderValue(theirs, titleOf(name).unit) : `${trim(goal)} of ${peer}`,
            },
          ],
    ),
  }));
}

export function renderChart(comparisons: readonly Comparison[], words: ChartWords): string {
  const columns: { height: number; readonly parts: string[] }[] = [
    { height: HEAD_HEIGHT, parts: [] },
    { height: HEAD_HEIGHT, parts: [] },
  ];
  for (const group of groupsOf(comparisons, words.ours)) {
    const [left, right] = columns;
    if (left === undefined || right === undefined) throw new RangeError('the chart has two columns');
    const at = left.height <= right.height ? 0 : 1;
    const column = at === 0 ? left : right;
    column.parts.push(renderGroup(group, MARGIN + at * (COLUMN + GUTTER), column.height));
    column.height += heightOf(group);
  }
  const height = Math.max(...columns.map((column) => column.height)) + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(words.title)}">
${STYLE}
<rect class="sheet" width="${WIDTH}" height="${height}" rx="10"/>
<text class="head" x="${MARGIN}" y="40">${escape(words.title)}</text>
<text class="caption" x="${MARGIN}" y="61">${escape(words.caption)}</text>
${columns.flatMap(({ parts }) => parts).join('\n')}
</svg>
`;
}

const STYLE = `<style>
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: #1f2933; }
  .sheet { fill: #ffffff; } .head { font-size: 19px; font-weight: 650; } .caption { fill: #627282; }
  .title { font-weight: 650; font-size: 13px; } .note { fill: #627282; font-size: 11px; text-anchor: end; }
  .name { fill: #52606d; text-anchor: end; } .name.own { fill: #0b5c74; font-weight: 650; }
  .track { fill: #eef1f4; } .bar { fill: #b4bfca; } .bar.own { fill: #10809f; }
  .goal { stroke: #d9480f; stroke-width: 2; } .missed { fill: #b9340b; font-weight: 650; } .value { fill: #1f2933; }
  @media (prefers-color-scheme: dark) {
    text, .value { fill: #e4e9ee; } .sheet { fill: #11181f; } .caption, .note { fill: #93a1ae; }
    .name { fill: #aab6c1; } .name.own { fill: #62c6e2; } .track { fill: #1d2731; } .bar { fill: #5a6875; } .bar.own { fill: #35a9c9; }
    .goal { stroke: #ff8a4c; } .missed { fill: #ff8a6a; }
  }
</style>`;

const heightOf = ({ bars }: Group): number => TITLE_HEIGHT + bars.length * BAR_STEP + GROUP_GAP;

function renderGroup({ name, bars, goals }: Group, x: number, y: number): string {
  const most = Math.max(...bars.map(({ value }) => value), ...goals.map(({ at }) => at), Number.MIN_VALUE);
  const width = (value: number): number => Math.round((value / most) * TRACK * 10) / 10;
  const { text, unit } = titleOf(name);
  const from = x + NAME_WIDTH;
  const missed = goals.filter(({ met }) => !met);
  const verdict =
    goals.length === 0
      ? ''
      : missed.length === 0
        ? `goal met: ${goals.map(({ told }) => told).join(', ')}`
        : `missed: ${missed.map(({ told }) => told).join(', ')}`;
  const lines = bars.map((bar, index) => {
    const top = y + TITLE_HEIGHT + index * BAR_STEP - 12;
    const own = bar.own ? ' own' : '';
    return `<text class="name${own}" x="${from - 10}" y="${top + 11}">${escape(bar.name)}</text><rect class="track" x="${from}" y="${top}" width="${TRACK}" height="${BAR_HEIGHT}" rx="3"/><rect class="bar${own}" x="${from}" y="${top}" width="${Math.max(1, width(bar.value))}" height="${BAR_HEIGHT}" rx="3"/><text class="value" x="${from + TRACK + 8}" y="${top + 11}">${renderValue(bar.value, unit)}</text>`;
  });
  const top = y + TITLE_HEIGHT - 15;
  const marks = goals.map(({ at, told }) => {
    const place = from + width(at);
    return `<line class="goal" x1="${place}" x2="${place}" y1="${top}" y2="${top + BAR_HEIGHT + 6}"><title>goal: at most ${escape(told)}</title></line>`;
  });
  return `<g><text class="title" x="${x}" y="${y}">${escape(text)}</text><text class="note${missed.length > 0 ? ' missed' : ''}" x="${x + COLUMN}" y="${y}">${escape(verdict)}</text>
${[...lines, ...marks].join('\n')}</g>`;
}

type Unit = 'seconds' | 'bytes';

function titleOf(scenario: string): { readonly text: string; readonly unit: Unit } {
  const kinds: readonly (readonly [suffix: string, told: string])[] = [
    ['-bytes', 'stored'],
    ['-read', 'bytes read'],
    ['-written', 'bytes written'],
    ['-memory', 'peak memory'],
  ];
  const found = kinds.find(([suffix]) => scenario.endsWith(suffix));
  const name = found === undefined ? scenario : scenario.slice(0, -found[0].length);
  const words = name.replaceAll('-', ' ').replace('0.1 percent', '0.1 %');
  return {
    text: found === undefined ? words : `${words}: ${found[1]}`,
    unit: found === undefined ? 'seconds' : 'bytes',
  };
}

function renderValue(value: number, unit: Unit): string {
  if (unit === 'bytes') {
    const mebibytes = value / 2 ** 20;
    return mebibytes >= 1024 ? `${trim(mebibytes / 1024)} GiB` : `${trim(mebibytes)} MiB`;
  }
  return value < 0.1 ? `${trim(value * 1000)} ms` : `${trim(value)} s`;
}

/** Three figures that count. */
const trim = (value: number): string => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
