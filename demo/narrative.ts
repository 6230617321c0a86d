// How the demo tells its story: numbered steps with the time since the start, lines of what was measured, one table.
// Colours come only where the stream is a terminal that wants them (NO_COLOR is respected), and never say anything alone.

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export class Narrative {
  readonly #stream: NodeJS.WriteStream;
  readonly #began = performance.now();
  #step = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  title(text: string, under: string): void {
    this.#print(`\n${this.#style('bold', text)}\n${this.#style('dim', under)}\n`);
  }

  /** Opens the next step. */
  step(text: string): void {
    this.#step += 1;
    const clock = formatClock((performance.now() - this.#began) / 1000);
    this.#print(
      `\n${this.#style('dim', clock)}  ${this.#style('cyan', String(this.#step))}  ${this.#style('bold', text)}\n`,
    );
  }

  line(text: string): void {
    this.#print(`           ${text}\n`);
  }

  strong(text: string): void {
    this.line(this.#style('bold', text));
  }

  strike(text: string): void {
    this.line(this.#style(['bold', 'red'], text));
  }

  table(heads: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
    const padded = (row: readonly string[]): readonly string[] => row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    this.#print('\n');
    this.line(this.#style('dim', padded(heads).join('  ')));
    for (const row of rows)
      this.line(
        padded(row)
          .map((cell) => this.#coloured(cell))
          .join('  ')
          .trimEnd(),
      );
  }

  #coloured(cell: string): string {
    if (cell.trim() === 'OK') return this.#style('green', cell);
    return cell.trim() === 'FAIL' ? this.#style(['bold', 'red'], cell) : cell;
  }

  #style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream });
  }

  #print(text: string): void {
    this.#stream.write(text);
  }
}

function formatClock(seconds: number): string {
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
}

export function formatSeconds(seconds: number): string {
  if (seconds >= 3600) return `${seconds / 3600} h`;
  return seconds >= 120 ? `${Math.round(seconds / 6) / 10} min` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

export const formatCount = (count: number): string => count.toLocaleString('en-GB');
