import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parsePeakMemory, parseProcessCpu, parseTimes, TIME_FORMAT } from './process-times.ts';

test('user and system time of a command are added', () => {
  assert.equal(parseTimes('1.250 0.500\n'), 1.75);
  assert.equal(parseTimes('0.000 0.000'), 0);
  for (const text of ['', '1.250', 'bash: x: not found\n1.250 0.500', '1,250 0,500']) {
    assert.equal(parseTimes(text), undefined, text);
  }
});

test('what bash prints with the format is what is parsed', async () => {
  const script = `TIMEFORMAT='${TIME_FORMAT}'; time for ((i = 0; i < 20000; i++)); do :; done`;
  const { stderr } = await promisify(execFile)('bash', ['--norc', '-c', script], { env: { LC_ALL: 'C' } });
  assert.ok((parseTimes(stderr) ?? 0) > 0, stderr);
});

test('the four times of a process are found behind any name', () => {
  const rest = 'S 1 2 3 0 -1 4194560 100 200 0 0 150 50 1000 200 20 0 1 0 12345 0 0';
  for (const name of ['postgres', 'a b', 'x) S 9 (y']) assert.equal(parseProcessCpu(`77 (${name}) ${rest}`), 14);
});

test('the memory of this process is found in its own status', async () => {
  const peak = parsePeakMemory(await readFile('/proc/self/status', 'utf8'));
  assert.ok(peak >= process.memoryUsage.rss() / 2 && peak < 64 * 2 ** 30, String(peak));
  assert.equal(parsePeakMemory('Name:\tgone\nState:\tZ (zombie)\n'), 0);
});
