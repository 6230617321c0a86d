import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Progress } from '@spillway/contract';
import { coloursFor } from './colour.ts';
import { createProgress, progressLine, type ProgressDisplay } from './progress.ts';

const MIB = 2 ** 20;

interface Played {
  readonly display: ProgressDisplay;
  readonly written: string[];
  readonly advance: (milliseconds: number) => void;
}

function play(options: { readonly isTerminal: boolean; readonly quiet?: boolean; readonly verbose?: boolean }): Played {
  let at = 0;
  const written: string[] = [];
  const display = createProgress({
    write: (text) => written.push(text),
    isTerminal: options.isTerminal,
    columns: () => 60,
    colours: coloursFor(false),
    now: () => at,
    quiet: options.quiet ?? false,
    verbose: options.verbose ?? false,
  });
  return {
    display,
    written,
    advance: (milliseconds) => {
      at += milliseconds;
    },
  };
}

const copying = (done: number, total?: number): Progress => ({
  type: 'progress',
  phase: 'copying files',
  done_bytes: done,
  ...(total === undefined ? {} : { total_bytes: total }),
});

test('a line says phase, share, sizes, rate and time left', () => {
  assert.equal(
    progressLine(copying(400 * MIB, 1000 * MIB), 100 * MIB),
    'copying files  40%  400 MiB of 0.98 GiB  100 MiB/s  6s left',
  );
  assert.equal(progressLine({ ...copying(0), detail: '0/3000028' }, undefined), 'copying files  0/3000028');
  assert.equal(progressLine(copying(5 * MIB), 0), 'copying files  5 MiB');
  assert.equal(progressLine(copying(12, 10), undefined), 'copying files  100%  12 B of 10 B');
});

test('away from a terminal there is at most one plain line in ten seconds', () => {
  const { display, written, advance } = play({ isTerminal: false });
  for (let second = 0; second <= 25; second++) {
    display.report(copying(second * MIB, 100 * MIB));
    advance(1000);
  }
  display.end();
  assert.deepEqual(written, [
    'copying files  0%  0 B of 100 MiB\n',
    'copying files  10%  10 MiB of 100 MiB  1 MiB/s  1m 30s left\n',
    'copying files  20%  20 MiB of 100 MiB  1 MiB/s  1m 20s left\n',
  ]);
});

test('on a terminal one line is drawn again, cut to its width, and cleared at the end', () => {
  const { display, written, advance } = play({ isTerminal: true });
  for (let step = 0; step < 10; step++) {
    display.report({ ...copying(step * MIB, 100 * MIB), detail: 'x'.repeat(100) });
    advance(50);
  }
  display.end();
  display.report(copying(1));
  assert.equal(written.length, 6);
  assert.ok(written.every((text) => text.startsWith('\r\u001B[2K') && !text.includes('\n')));
  assert.ok(written.every((text) => text.length <= 59 + '\r\u001B[2K'.length));
  assert.equal(written.at(-1), '\r\u001B[2K');
});

test('the rate forgets what was more than ten seconds ago, and starts again with each phase', () => {
  const { display, written, advance } = play({ isTerminal: true });
  display.report(copying(0, 1000 * MIB));
  for (let second = 0; second < 30; second++) {
    advance(1000);
    display.report(copying((second < 15 ? second : 15 + (second - 15) * 10) * MIB, 1000 * MIB));
  }
  assert.match(written.at(-1) ?? '', /10 MiB\/s/);
  advance(1000);
  display.report({ ...copying(0, MIB), phase: 'waiting' });
  assert.doesNotMatch(written.at(-1) ?? '', /\/s/);
});

test('notices are lines of their own, and the redrawn line steps aside', () => {
  const { display, written } = play({ isTerminal: true });
  display.report(copying(1, 2));
  display.report({ type: 'notice', level: 'warning', message: 'Slot is behind.', fields: { bytes: 5 } });
  assert.deepEqual(written.slice(1), ['\r\u001B[2K', 'warning: Slot is behind.\n']);
});

test('quiet leaves warnings alone; verbose adds the fields', () => {
  const quiet = play({ isTerminal: false, quiet: true });
  quiet.display.report(copying(1, 2));
  quiet.display.report({ type: 'notice', level: 'info', message: 'Connected.' });
  quiet.display.report({ type: 'notice', level: 'warning', message: 'Careful.' });
  assert.deepEqual(quiet.written, ['warning: Careful.\n']);
  const verbose = play({ isTerminal: false, verbose: true });
  verbose.display.report({ type: 'notice', level: 'info', message: 'Connected.', fields: { timeline: 1 } });
  assert.deepEqual(verbose.written, ['Connected. timeline=1\n']);
});

test('a warning that comes after the end is shown, and progress is not', () => {
  const { display, written } = play({ isTerminal: false });
  display.end();
  display.report(copying(1, 2));
  display.report({ type: 'notice', level: 'warning', message: 'Only one key slot is left.' });
  assert.deepEqual(written, ['warning: Only one key slot is left.\n']);
});
