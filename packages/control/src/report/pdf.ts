// The report as PDF, set from the same blocks as the HTML page: tagged for screen readers, with its font inside.
//
// 1. PDFKit writes the file, without a browser. It and the font are loaded only here, when a PDF is wanted.
// 2. DejaVu Sans has Latin, Greek, Cyrillic, Armenian, Georgian, Arabic and Hebrew letters. What it has not is written as its
//    number, `‹U+6C34›`, so that no name is lost or looks like another.
// 3. A row of a table is not broken over pages, and the heading of a table comes again on each page.
// Invariant: pages are turned between structure elements, never inside a row or a chart.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { ComplianceReport } from '@spillway/contract';
import type { Chart, Role, Shape } from './chart.ts';
import { type Block, type Cell, type Column, contentsOf, type Tone } from './contents.ts';
import { byNumber } from './wording.ts';

const MARGIN = 48;
const FOOTER = 28;
const PAD_X = 4;
const PAD_Y = 3.2;
/** A heading stands with at least so much of what it is of. */
const KEPT_TOGETHER = 70;
const REGULAR = 'regular';
const BOLD = 'bold';

const INK = '#15191e';
const QUIET = '#4c5662';
const LINE = '#c3cad2';
const RAISED = '#f2f4f6';
const tones: Readonly<Record<Tone, string>> = { good: '#14693a', bad: '#a61b1b', warn: '#7a4d00' };
const roles: Readonly<Record<Role, string>> = {
  axis: QUIET,
  grid: LINE,
  objective: INK,
  trend: QUIET,
  good: tones.good,
  bad: tones.bad,
  warn: tones.warn,
  none: QUIET,
  mark: '#ffffff',
  label: QUIET,
  ink: INK,
};
const strokes: Partial<Readonly<Record<Role, number>>> = { bad: 2.5, mark: 2, trend: 1.5, objective: 1.5 };

type Pdf = PDFKit.PDFDocument;
type Element = PDFKit.PDFStructureElement;

export async function reportPdf(report: ComplianceReport): Promise<Uint8Array> {
  const { default: PdfDocument } = await import('pdfkit');
  const { title, verdict, blocks } = contentsOf(report);
  const doc: Pdf = new PdfDocument({
    size: 'A4',
    margins: { top: MARGIN, left: MARGIN, right: MARGIN, bottom: MARGIN + FOOTER },
    bufferPages: true,
    tagged: true,
    lang: 'en',
    displayTitle: true,
    pdfVersion: '1.7',
    // No standard font is looked up: the document has its own.
    font: '',
    info: { Title: title, Creator: `Spillway ${report.spillway}`, CreationDate: new Date(report.made_at) },
  });
  const pieces: Uint8Array[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    doc.on('data', (piece: Uint8Array) => pieces.push(piece));
    doc.on('end', resolve);
    doc.on('error', reject);
  });
  doc.registerFont(REGULAR, await fontFile('DejaVuSans.ttf'));
  doc.registerFont(BOLD, await fontFile('DejaVuSans-Bold.ttf'));
  const sheet = new Sheet(doc);
  sheet.heading('H1', title);
  sheet.verdict(verdict);
  for (const [at, block] of blocks.entries()) sheet.set(block, blocks.slice(at + 1));
  sheet.finish(title);
  doc.end();
  await ended;
  return Buffer.concat(pieces);
}

const fontFile = (name: string): Promise<Buffer> =>
  readFile(createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}`));

/** One document in the making: what is set next goes below what was set last. */
class Sheet {
  readonly #doc: Pdf;
  readonly #root: Element;
  readonly #hasGlyph: (code: number) => boolean;

  constructor(doc: Pdf) {
    this.#doc = doc;
    this.#root = doc.struct('Document');
    doc.addStructure(this.#root);
    doc.font(REGULAR);
    // PDFKit keeps the font it opened to itself.
    const { font } = (doc as unknown as Readonly<Record<'_font', { readonly font: Font }>>)['_font'];
    this.#hasGlyph = (code) => font.hasGlyphForCodePoint(code);
  }

  /** `after`: what follows, of which a heading keeps the beginning on its page. */
  set(block: Block, after: readonly Block[]): void {
    switch (block.kind) {
      case 'heading':
        return this.heading(block.level === 2 ? 'H2' : 'H3', block.text, this.#begins(after));
      case 'paragraph':
        return this.#paragraph(block.text, block.tone);
      case 'list':
        return this.#list(block.items);
      case 'facts':
        return this.#facts(block.facts);
      case 'code':
        return this.#code(block.lines);
      case 'chart':
        return this.#chart(block.chart);
      case 'table':
        return this.#table(block.caption, block.columns, block.rows);
    }
  }

  heading(tag: 'H1' | 'H2' | 'H3', text: string, kept = KEPT_TOGETHER): void {
    const size = { H1: 19, H2: 13.5, H3: 10.5 }[tag];
    const above = { H1: 0, H2: 18, H3: 10 }[tag];
    const height = this.#heightOf(text, BOLD, size, this.#width);
    if (!this.#fits(above + height + kept)) this.#turn();
    else this.#doc.y += above;
    this.#root.add(this.#element(tag, () => this.#text(text, BOLD, size, INK)));
    this.#doc.y += tag === 'H1' ? 8 : 4;
  }

  verdict({ text, tone }: Cell & { readonly tone: Tone }): void {
    const words = `Objectives and duties of the month: ${text}`;
    this.#root.add(this.#element('P', () => this.#text(words, BOLD, 11, tones[tone])));
    this.#doc.y += 6;
  }

  /** Numbers the pages, which are known only now. */
  finish(title: string): void {
    this.#root.end();
    const { start, count } = this.#doc.bufferedPageRange();
    for (let page = start; page < start + count; page++) {
      this.#doc.switchToPage(page);
      const { margins, height } = this.#doc.page;
      const bottom = margins.bottom;
      margins.bottom = 0;
      this.#artifact(() => {
        this.#doc.font(REGULAR).fontSize(7.5).fillColor(QUIET);
        const y = height - MARGIN;
        this.#doc.text(this.#known(title), MARGIN, y, {
          width: this.#width - 60,
          height: 12,
          lineBreak: false,
          ellipsis: true,
        });
        this.#doc.text(`${page - start + 1} / ${count}`, MARGIN, y, {
          width: this.#width,
          align: 'right',
          lineBreak: false,
        });
      });
      margins.bottom = bottom;
    }
  }

  #paragraph(text: string, tone?: Tone): void {
    this.#room(this.#heightOf(text, REGULAR, 9, this.#width));
    this.#root.add(this.#element('P', () => this.#text(text, REGULAR, 9, tone === undefined ? INK : tones[tone])));
    this.#doc.y += 5;
  }

  #list(items: readonly string[]): void {
    const list = this.#doc.struct('L');
    this.#root.add(list);
    for (const item of items) {
      this.#room(this.#heightOf(item, REGULAR, 9, this.#width - 12));
      const one = this.#doc.struct('LI');
      list.add(one);
      const { y } = this.#doc;
      one.add(this.#element('Lbl', () => this.#text('•', REGULAR, 9, INK)));
      this.#doc.y = y;
      one.add(
        this.#element('LBody', () => this.#text(item, REGULAR, 9, INK, { x: MARGIN + 12, width: this.#width - 12 })),
      );
      one.end();
      this.#doc.y += 2;
    }
    list.end();
    this.#doc.y += 5;
  }

  #facts(facts: readonly (readonly [name: string, value: string])[]): void {
    const nameWidth = 118;
    const valueWidth = this.#width - nameWidth;
    for (const [name, value] of facts) {
      const height = Math.max(
        this.#heightOf(name, REGULAR, 9, nameWidth),
        this.#heightOf(value, REGULAR, 9, valueWidth),
      );
      this.#room(height);
      const line = this.#doc.struct('P');
      this.#root.add(line);
      const { y } = this.#doc;
      line.add(this.#element('Span', () => this.#text(`${name}:`, REGULAR, 9, QUIET, { width: nameWidth })));
      this.#doc.y = y;
      line.add(
        this.#element('Span', () => this.#text(value, REGULAR, 9, INK, { x: MARGIN + nameWidth, width: valueWidth })),
      );
      line.end();
      this.#doc.y = y + height + 2;
    }
    this.#doc.y += 5;
  }

  #code(lines: readonly string[]): void {
    for (const line of lines) {
      const height = this.#heightOf(line, REGULAR, 8, this.#width - 12) + 6;
      this.#room(height);
      const { y } = this.#doc;
      this.#artifact(() => this.#doc.rect(MARGIN, y, this.#width, height).fill(RAISED));
      this.#doc.y = y + 3;
      this.#root.add(
        this.#element('Code', () => this.#text(line, REGULAR, 8, INK, { x: MARGIN + 6, width: this.#width - 12 })),
      );
      this.#doc.y = y + height;
    }
    this.#doc.y += 6;
  }

  /** How much must stand below a heading that comes before these. */
  #begins([next, ...after]: readonly Block[]): number {
    if (next?.kind === 'heading') return KEPT_TOGETHER / 2 + this.#begins(after);
    return next?.kind === 'chart' ? next.chart.height * this.#scaleOf(next.chart) + KEPT_TOGETHER / 2 : KEPT_TOGETHER;
  }

  #scaleOf({ width }: Chart): number {
    return Math.min(1, this.#width / width);
  }

  #chart(chart: Chart): void {
    const scale = this.#scaleOf(chart);
    const height = chart.height * scale;
    this.#room(height + 14);
    const top = this.#doc.y;
    const figure = this.#element(
      'Figure',
      () => {
        this.#doc.save().translate(MARGIN, top).scale(scale);
        for (const shape of chart.shapes) this.#draw(shape);
        this.#doc.restore();
      },
      { alt: `${chart.title}. ${chart.description}` },
    );
    this.#root.add(figure);
    this.#doc.x = MARGIN;
    this.#doc.y = top + height + 4;
    this.#root.add(this.#element('Caption', () => this.#text(chart.description, REGULAR, 7.5, QUIET)));
    this.#doc.y += 6;
  }

  #draw(shape: Shape): void {
    const colour = roles[shape.role];
    const doc = this.#doc;
    switch (shape.kind) {
      case 'line': {
        const [first, ...rest] = shape.points;
        if (first === undefined) return;
        doc.moveTo(...first);
        for (const point of rest) doc.lineTo(...point);
        doc.lineWidth(strokes[shape.role] ?? 1).lineCap('round');
        if (shape.role === 'objective') doc.dash(6, { space: 5 });
        doc.stroke(colour).undash();
        return;
      }
      case 'box':
        doc.roundedRect(shape.x, shape.y, shape.width, shape.height, 3);
        if (shape.role === 'none') doc.lineWidth(0.8).stroke(colour);
        else doc.fill(colour);
        return;
      case 'dot':
        doc.circle(shape.x, shape.y, shape.radius).fill(colour);
        return;
      case 'text': {
        doc.font(REGULAR).fontSize(10.5).fillColor(colour);
        const width = doc.widthOfString(shape.text);
        const x = shape.x - { start: 0, middle: width / 2, end: width }[shape.anchor];
        doc.text(shape.text, x, shape.y, { lineBreak: false, baseline: 'alphabetic' });
      }
    }
  }

  #table(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    const total = columns.reduce((sum, { share }) => sum + share, 0);
    const widths = columns.map(({ share }) => (share / total) * this.#width);
    const titles = columns.map(({ title }): Cell => ({ text: title }));
    const heightOf = (cells: readonly Cell[], heading: boolean): number =>
      2 * PAD_Y +
      Math.max(
        ...cells.map(({ text, tone }, n) =>
          this.#heightOf(
            text,
            heading || n === 0 || tone !== undefined ? BOLD : REGULAR,
            8,
            (widths[n] ?? 0) - 2 * PAD_X,
          ),
        ),
      );
    const head = heightOf(titles, true);
    const captionHeight = this.#heightOf(caption, REGULAR, 8, this.#width);
    if (!this.#fits(captionHeight + head + heightOf(rows[0] ?? titles, false) + 6)) this.#turn();
    const table = this.#doc.struct('Table');
    this.#root.add(table);
    table.add(this.#element('Caption', () => this.#text(caption, REGULAR, 8, QUIET)));
    this.#doc.y += 3;
    const setRow = (cells: readonly Cell[], heading: boolean): void => {
      const { y } = this.#doc;
      const height = heightOf(cells, heading);
      const row = this.#doc.struct('TR');
      table.add(row);
      let x = MARGIN;
      for (const [n, { text, tone }] of cells.entries()) {
        const width = widths[n] ?? 0;
        const isHeading = heading || n === 0;
        const scope = { scope: heading ? 'Column' : 'Row' };
        const at = { x: x + PAD_X, width: width - 2 * PAD_X, ...(columns[n]?.align && { align: columns[n].align }) };
        this.#doc.y = y + PAD_Y;
        const set = (): void =>
          this.#text(
            text,
            isHeading || tone !== undefined ? BOLD : REGULAR,
            8,
            tone === undefined ? INK : tones[tone],
            at,
          );
        row.add(isHeading ? this.#element('TH', set, scope) : this.#element('TD', set));
        x += width;
      }
      row.end();
      this.#doc.x = MARGIN;
      this.#doc.y = y + height;
      this.#artifact(() =>
        this.#doc
          .lineWidth(heading ? 1 : 0.5)
          .moveTo(MARGIN, y + height)
          .lineTo(MARGIN + this.#width, y + height)
          .stroke(heading ? QUIET : LINE),
      );
    };
    setRow(titles, true);
    for (const cells of rows) {
      if (!this.#fits(heightOf(cells, false))) {
        this.#turn();
        setRow(titles, true);
      }
      setRow(cells, false);
    }
    table.end();
    this.#doc.y += 10;
  }

  /** What `draw` sets is the content of the element. */
  #element(tag: string, draw: () => void, options: object = {}): Element {
    return this.#doc.struct(tag, options, [draw]);
  }

  /** For what is no content: lines, grounds, numbers of pages. */
  #artifact(draw: () => void): void {
    this.#doc.markContent('Artifact');
    draw();
    this.#doc.endMarkedContent();
  }

  #text(
    text: string,
    font: string,
    size: number,
    colour: string,
    at: { readonly x?: number; readonly width?: number; readonly align?: 'right' } = {},
  ): void {
    const { x = MARGIN, width = this.#width, align } = at;
    this.#doc.font(font).fontSize(size).fillColor(colour);
    this.#doc.text(this.#known(text), x, this.#doc.y, { width, ...(align && { align }) });
    this.#doc.x = MARGIN;
  }

  #heightOf(text: string, font: string, size: number, width: number): number {
    return this.#doc.font(font).fontSize(size).heightOfString(this.#known(text), { width });
  }

  /** Letters that the font lacks, by their numbers. */
  #known(text: string): string {
    return Array.from(text, (character) =>
      this.#hasGlyph(character.codePointAt(0) ?? 0) ? character : byNumber(character),
    ).join('');
  }

  get #width(): number {
    return this.#doc.page.width - 2 * MARGIN;
  }

  #fits(height: number): boolean {
    return this.#doc.y + height <= this.#doc.page.height - MARGIN - FOOTER;
  }

  #room(height: number): void {
    if (!this.#fits(height)) this.#turn();
  }

  #turn(): void {
    this.#doc.addPage();
    this.#doc.x = MARGIN;
    this.#doc.y = MARGIN;
  }
}

interface Font {
  hasGlyphForCodePoint(code: number): boolean;
}
