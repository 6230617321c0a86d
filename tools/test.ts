// `npm test`: runs every test file of the project, a few at a time, and ends with `N passed, N failed`.
//
// 1. Words after the command choose the files whose path contains one of them: `npm test -- cli/ tidy`.
// 2. A file that passes is one line; of one that fails, each failing test is shown with its error and what the file printed.
// 3. What Node compiled of the sources is kept (NODE_COMPILE_CACHE): each file is a process of its own, with workers and
//    commands that it starts, and would strip the types of the same three hundred modules each time.
// 4. Commands that tests start are those of a release, made first: one opens a handful of files where the checkout's opens four
//    hundred, and there are thousands of them.
// 5. Where CI is set, a skipped test counts as a failure: there everything that a test needs is installed.

import { execFile } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { inspect, promisify } from 'node:util';

const PATTERNS = ['packages', 'apps', 'demo', 'bench', 'tools'].map((folder) => `${folder}/**/*.test.ts`);
/** One more than there are cores: much of a test waits for the disk, or for a server to start. */
const FILES_AT_ONCE = availableParallelism() + 1;
const FILE_TIMEOUT_MS = 15 * 60_000;
const OUTPUT_SHOWN_MAX = 200;

const root = join(import.meta.dirname, '..');
process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules', '.cache', 'compiled');
const wanted = process.argv.slice(2);
const strict = process.env['CI'] !== undefined && process.env['CI'] !== '' && process.env['CI'] !== 'false';

const files: string[] = [];
for await (const path of glob(PATTERNS, { cwd: root, exclude: (name) => name === 'node_modules' })) {
  if (wanted.length === 0 || wanted.some((word) => path.includes(word))) files.push(join(root, path));
}

/** Below node_modules, so that what a release does not bundle is found. */
const release = join(root, 'node_modules', '.cache', 'release-under-test');
if (files.some((path) => /\/test\/|\/demo\//.test(path))) {
  await promisify(execFile)(process.execPath, [join(root, 'tools', 'build.ts'), release], { cwd: root });
  process.env['PROGRAM_UNDER_TEST'] = join(release, 'bin', 'spillway.js');
}

interface FileRecord {
  passed: number;
  skipped: number;
  readonly failures: string[];
  readonly output: string[];
}

const records = new Map<string, FileRecord>();
const record = (file: string | undefined): FileRecord => {
  const name = file === undefined ? '(no file)' : relative(root, file);
  const known = records.get(name) ?? { passed: 0, skipped: 0, failures: [], output: [] };
  records.set(name, known);
  return known;
};

const names: string[] = [];
const stream = run({ files: files.toSorted(), concurrency: FILES_AT_ONCE, timeout: FILE_TIMEOUT_MS, cwd: root });
stream.on('test:start', ({ name, nesting }) => {
  names[nesting] = name;
});
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  const of = record(event.file);
  if (event.skip !== undefined || event.todo !== undefined) {
    of.skipped++;
    console.log(`skipped  ${event.name}${typeof event.skip === 'string' ? `: ${event.skip}` : ''}`);
  } else of.passed++;
});
stream.on('test:fail', (event) => {
  // What fails only because a test in it did was counted there.
  const error: Error & { readonly failureType?: string } = event.details.error;
  if (error.failureType === 'subtestsFailed') return;
  const way = [...names.slice(0, event.nesting), event.name].join(' > ');
  record(event.file).failures.push(`${way}\n${indented(inspect(error.cause ?? error, { depth: 4 }))}`);
});
for (const name of ['test:stdout', 'test:stderr'] as const) {
  stream.on(name, ({ file, message }) => {
    const { output } = record(file);
    output.push(message);
    if (output.length > OUTPUT_SHOWN_MAX) output.shift();
  });
}
stream.on('test:diagnostic', ({ file, message, nesting }) => {
  if (nesting > 0 && file !== undefined) record(file).output.push(`${message}\n`);
});
stream.on('test:summary', ({ file, duration_ms: milliseconds }) => {
  if (file === undefined) return;
  const { passed, skipped, failures } = record(file);
  const counts = `${passed} passed${failures.length > 0 ? `, ${failures.length} FAILED` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  console.log(
    `${failures.length > 0 ? 'FAIL' : 'ok  '}  ${relative(root, file)}  ${counts}, ${(milliseconds / 1000).toFixed(1)} s`,
  );
});
for await (const event of stream) void event;

for (const [file, { failures, output }] of records) {
  if (failures.length === 0) continue;
  console.log(`\n${file}`);
  for (const failure of failures) console.log(indented(failure));
  if (output.length > 0) console.log(`  what it printed last:\n${indented(output.join('').trimEnd())}`);
}

const sum = (count: (of: FileRecord) => number): number =>
  [...records.values()].reduce((total, of) => total + count(of), 0);
const skipped = sum((of) => of.skipped);
const failed = sum((of) => of.failures.length);
const passed = sum((of) => of.passed);
if (passed + failed === 0) console.log(`no test ran; the patterns are ${PATTERNS.join(', ')}`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 || (strict && skipped > 0) ? 1 : 0;

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
