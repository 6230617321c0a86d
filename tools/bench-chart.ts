// `npm run bench:chart -- <file of npm run bench -- --json> <svg> [--caption <text>]`: the picture of a run, for the documentation.

import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { renderChart } from '../bench/chart.ts';
import type { Comparison } from '../bench/comparison.ts';
import { OURS } from '../bench/peers/spillway.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { caption: { type: 'string', default: 'Median times and bytes; less is better. The mark is the goal.' } },
});
const [from, to] = positionals;
if (from === undefined || to === undefined) {
  throw new TypeError('usage: npm run bench:chart -- <json> <svg> [--caption <text>]');
}
const comparisons = JSON.parse(await readFile(from, 'utf8')) as readonly Comparison[];
if (comparisons.length === 0) throw new Error(`${from} compares nothing, so there is nothing to draw`);
await writeFile(
  to,
  renderChart(comparisons, { title: 'Spillway beside its peers', caption: values.caption, ours: OURS }),
);
