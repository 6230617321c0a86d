import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Comparison } from './comparison.ts';
import { groupsOf, renderChart } from './chart.ts';

const row = (scenario: string, peer: string, ours: number, theirs: number, goal: number | null): Comparison => ({
  scenario,
  peer,
  ratio: ours / theirs,
  goal,
  met: goal === null ? null : ours / theirs <= goal,
  ours,
  theirs,
});
const rows = [
  row('full', 'a <b>', 2, 4, 0.75),
  row('full', 'other', 2, 1, null),
  row('full-bytes', 'a <b>', 2 ** 20, 2 ** 21, 0.25),
  row('start', 'limit', 0.06, 0.12, 1),
];

test('a scenario is one group: ours once, each peer, and goals where they lie', () => {
  assert.deepEqual(groupsOf(rows, 'ours'), [
    {
      name: 'full',
      bars: [
        { name: 'ours', value: 2, own: true },
        { name: 'a <b>', value: 4, own: false },
        { name: 'other', value: 1, own: false },
      ],
      goals: [{ at: 3, met: true, told: '0.75 of a <b>' }],
    },
    {
      name: 'full-bytes',
      bars: [
        { name: 'ours', value: 2 ** 20, own: true },
        { name: 'a <b>', value: 2 ** 21, own: false },
      ],
      goals: [{ at: 2 ** 19, met: false, told: '0.25 of a <b>' }],
    },
    {
      name: 'start',
      bars: [{ name: 'ours', value: 0.06, own: true }],
      goals: [{ at: 0.12, met: true, told: '0.12 s' }],
    },
  ]);
});

test('bars are as long as their values say, within their scenario', () => {
  const svg = renderChart(rows.slice(0, 2), { title: 'T', caption: 'C', ours: 'ours' });
  const widths = [...svg.matchAll(/class="bar(?: own)?" [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  const [ours = 0, theirs = 0, other = 0] = widths;
  assert.equal(widths.length, 3);
  assert.ok(Math.abs(theirs - 2 * ours) < 0.2 && Math.abs(ours - 2 * other) < 0.2, widths.join());
});

test('missed is said in words, units are told, and nobody breaks out of the text', () => {
  const svg = renderChart(rows, { title: 'T & U', caption: 'C', ours: 'ours' });
  assert.match(svg, /missed: 0\.25 of a &lt;b&gt;/);
  assert.match(svg, /goal met: 0\.75 of/);
  assert.match(svg, />full: stored</);
  assert.match(svg, />1 MiB</);
  assert.match(svg, />60 ms</);
  assert.match(svg, />T &amp; U</);
  assert.doesNotMatch(svg, /<b>/);
});
