import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter, plainText, readLine } from './lines.ts';

const split = (pieces: readonly Buffer[]): string[] => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return lines;
};

test('lines come whole, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(40)), (texts, cuts) => {
      const lines = texts.map((text) => text.replaceAll('\n', ' '));
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const pieces: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) pieces.push(bytes.subarray(at, (at += cut)));
      pieces.push(bytes.subarray(at));
      assert.deepEqual(split(pieces), lines);
    }),
  );
});

test('a line without end is cut off, kept once, and costs no more memory', () => {
  const piece = Buffer.from('x'.repeat(1 << 20));
  const lines = split([...Array.from({ length: 20 }, () => piece), Buffer.from('y\nnext\n')]);
  assert.deepEqual(
    lines.map((line) => line.length),
    [65_536, 4],
  );
});

test('what a command says is read, and everything else is output', () => {
  const error = { type: 'error', code: 'SPW_LOCKED', message: 'm', why: null, hint: 'h', exit_code: 11 };
  for (const [line, expected] of [
    ['', undefined],
    ['   ', undefined],
    ['plain words', { kind: 'line', level: 'output', message: 'plain words' }],
    ['{"broken', { kind: 'line', level: 'output', message: '{"broken' }],
    ['[1]', { kind: 'line', level: 'output', message: '[1]' }],
    [
      '{"type":"progress","at":"x","phase":"copying","done_bytes":5,"total_bytes":9}',
      { kind: 'progress', phase: 'copying', doneBytes: 5, totalBytes: 9, detail: null },
    ],
    [
      '{"type":"progress","phase":"copying","done_bytes":-1}',
      { kind: 'line', level: 'output', message: '{"type":"progress","phase":"copying","done_bytes":-1}' },
    ],
    ['{"type":"notice","level":"warning","message":"w"}', { kind: 'line', level: 'warning', message: 'w' }],
    ['{"type":"notice","level":"fatal","message":"w"}', { kind: 'line', level: 'info', message: 'w' }],
    [JSON.stringify(error), { kind: 'error', error: { code: 'SPW_LOCKED', message: 'm', why: null, hint: 'h' } }],
    [
      '{"type":"error","code":"<script>","message":"m"}',
      { kind: 'line', level: 'output', message: '{"type":"error","code":"<script>","message":"m"}' },
    ],
    [
      '{"type":"job","state":"succeeded"}',
      { kind: 'line', level: 'output', message: '{"type":"job","state":"succeeded"}' },
    ],
  ] as const) {
    assert.deepEqual(readLine(line), expected, line);
  }
});

test('no control character gets through, and no text is endless', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      // oxlint-disable-next-line no-control-regex -- those are what it is about
      assert.doesNotMatch(plainText(text), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
    }),
  );
  assert.equal(plainText('\u001b[2J\u001b]0;owned\u0007'), '\ufffd[2J\ufffd]0;owned\ufffd');
  assert.equal(plainText('x'.repeat(10_000)).length, 4001);
});
