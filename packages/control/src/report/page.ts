// The report as one HTML file: it needs no other file, no network and no script, and prints well. Pure.
//
// The content security policy lets the page load nothing at all; its one style sheet is allowed by hash.

import { createHash } from 'node:crypto';
import type { ComplianceReport } from '@spillway/contract';
import type { Chart, Shape } from './chart.ts';
import { type Block, type Cell, contentsOf } from './contents.ts';
import { html, type Markup } from './markup.ts';

export function reportPage(report: ComplianceReport): string {
  const { title, verdict, blocks } = contentsOf(report);
  const style = createHash('sha256').update(STYLE).digest('base64');
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="verdict ${verdict.tone}"><span>Objectives and duties of the month:</span> <strong>${verdict.text}</strong></p>
${sections(blocks)}
</main>
</body>
</html>
`;
  return page.html;
}

/** What comes before the first heading, then a section for each heading of level 2. */
function sections(blocks: readonly Block[]): readonly Markup[] {
  const starts = blocks.flatMap((block, at) => (block.kind === 'heading' && block.level === 2 ? [at] : []));
  const parts = [0, ...starts].map((start, n) => blocks.slice(start, starts[n] ?? blocks.length));
  let number = 0;
  const setOne = (block: Block): Markup => setBlock(block, (number += 1));
  return parts.map((part, n) => (n === 0 ? html`${part.map(setOne)}` : html`<section>${part.map(setOne)}</section>\n`));
}

function setBlock(block: Block, number: number): Markup {
  switch (block.kind) {
    case 'heading':
      return block.level === 2 ? html`<h2>${block.text}</h2>\n` : html`<h3>${block.text}</h3>\n`;
    case 'paragraph':
      return html`<p class="${block.tone ?? 'plain'}">${block.text}</p>\n`;
    case 'list':
      return html`<ul>${block.items.map((item) => html`<li>${item}</li>`)}</ul>\n`;
    case 'facts':
      return html`<dl>${block.facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>\n`;
    case 'code':
      return html`<pre tabindex="0"><code>${block.lines.join('\n')}</code></pre>\n`;
    case 'chart':
      return html`<figure>${drawSvg(block.chart, `chart-${number}`)}<figcaption>${block.chart.description}</figcaption></figure>\n`;
    case 'table': {
      const { caption, columns, rows } = block;
      return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map(({ title, align }) => html`<th scope="col" class="${align ?? 'left'}">${title}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((each, n) => setCell(each, n, columns[n]?.align))}</tr>\n`)}</tbody>
</table></div>\n`;
    }
  }
}

function setCell({ text, tone }: Cell, column: number, align: 'right' | undefined): Markup {
  const words = tone === undefined ? html`${text}` : html`<span class="${tone}">${text}</span>`;
  return column === 0
    ? html`<th scope="row" class="${align ?? 'left'}">${words}</th>`
    : html`<td class="${align ?? 'left'}">${words}</td>`;
}

const drawSvg = ({ width, height, title, description, shapes }: Chart, id: string): Markup =>
  html`<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-labelledby="${id}-title ${id}-text"><title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>${shapes.map(drawShape)}</svg>`;

function drawShape(shape: Shape): Markup {
  switch (shape.kind) {
    case 'line': {
      const points = shape.points.map(([x, y]) => `${x},${y}`).join(' ');
      return html`<polyline class="${shape.role}" points="${points}"/>`;
    }
    case 'box':
      return html`<rect class="${shape.role}" x="${shape.x}" y="${shape.y}" width="${shape.width}" height="${shape.height}" rx="3"/>`;
    case 'dot':
      return html`<circle class="${shape.role}" cx="${shape.x}" cy="${shape.y}" r="${shape.radius}"/>`;
    case 'text':
      return html`<text class="${shape.role}" x="${shape.x}" y="${shape.y}" text-anchor="${shape.anchor}">${shape.text}</text>`;
  }
}

const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f4f6f8; --ink: #1b1f24; --quiet: #56606c; --line: #d3d9e0;
  --good: #14693a; --bad: #a61b1b; --warn: #7a4d00; --good-ground: #e6f4ea; --bad-ground: #fdeaea; --warn-ground: #fdf3e0;
  --mark: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1e2329; --ink: #e9ecef; --quiet: #a9b2bd; --line: #39414b;
    --good: #74d19b; --bad: #ff9a91; --warn: #f0bf66; --good-ground: #16301f; --bad-ground: #3b1b1b; --warn-ground: #352910;
    --mark: #14171b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 2.75rem 0 0.75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.75rem 0 0.5rem; overflow-wrap: anywhere; }
p { margin: 0.6rem 0; max-width: 46rem; overflow-wrap: anywhere; }
ul { margin: 0.75rem 0; padding-left: 1.25rem; max-width: 46rem; overflow-wrap: anywhere; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
span.good, span.bad, span.warn { font-weight: 600; }
.verdict { display: inline-block; margin: 0 0 0.5rem; padding: 0.5rem 1rem; border: 1px solid currentColor; border-radius: 0.5rem; font-size: 1.1rem; }
.verdict.good { background: var(--good-ground); }
.verdict.bad { background: var(--bad-ground); }
.verdict.warn { background: var(--warn-ground); }
dl { margin: 1rem 0; padding: 0.75rem 1rem; background: var(--raised); border-radius: 0.5rem; }
dl div { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1rem; padding: 0.15rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0 1.5rem; }
.scroll:focus-visible, pre:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: 0 0 0.4rem; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 1rem 0.4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-bottom: 2px solid var(--line); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 600; }
th.right, td.right { text-align: right; white-space: nowrap; }
pre { margin: 0.75rem 0; padding: 0.75rem 1rem; background: var(--raised); border-radius: 0.5rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.88rem; }
figure { margin: 0.75rem 0 1.25rem; }
figcaption { margin-top: 0.4rem; color: var(--quiet); font-size: 0.88rem; max-width: 46rem; }
svg { display: block; max-width: 100%; height: auto; font: 11.5px system-ui, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
svg polyline { fill: none; stroke: var(--ink); stroke-linecap: round; stroke-linejoin: round; }
svg polyline.grid { stroke: var(--line); }
svg polyline.axis { stroke: var(--quiet); }
svg polyline.objective { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 6 5; }
svg polyline.trend { stroke: var(--quiet); stroke-width: 1.5; }
svg polyline.bad { stroke: var(--bad); stroke-width: 2.5; }
svg polyline.mark { stroke: var(--mark); stroke-width: 2; }
svg circle.mark { fill: var(--mark); }
svg .good { fill: var(--good); }
svg rect.bad { fill: var(--bad); }
svg rect.warn { fill: var(--warn); }
svg rect.none { fill: none; stroke: var(--quiet); }
svg text.label { fill: var(--quiet); }
svg text.ink { fill: var(--ink); }
@media (max-width: 40rem) {
  main { padding: 1.25rem 1rem 3rem; }
  dl div { grid-template-columns: 1fr; padding: 0.3rem 0; }
  .scroll table { min-width: 34rem; }
}
@page { size: A4; margin: 16mm 15mm 18mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; } }
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --raised: #f4f6f8; --ink: #000000; --quiet: #44505c; --line: #b9c1ca;
    --good: #14693a; --bad: #a61b1b; --warn: #7a4d00; --good-ground: #ffffff; --bad-ground: #ffffff; --warn-ground: #ffffff;
    --mark: #ffffff;
  }
  body { font-size: 9.5pt; line-height: 1.4; }
  main { max-width: none; padding: 0; }
  p, ul, figcaption { max-width: none; }
  h1 { font-size: 18pt; }
  h2 { font-size: 13pt; margin-top: 1.5rem; padding-top: 0.5rem; }
  h2, h3, caption { break-after: avoid; }
  thead { display: table-header-group; }
  tr, figure, dl, pre { break-inside: avoid; }
  .scroll { overflow: visible; }
  svg, dl, pre, .verdict { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
