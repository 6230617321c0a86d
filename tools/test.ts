// `npm test`: runs every test file of the project, a few at a time, and ends with `N passed, N failed`.
//
// 1. Words after the command choose the files whose path contains one of them: `npm test -- cli/ tidy`.
// 2. A file that passes is one line; of one that fails, each failing test is shown with its error and what the file printed.
// 3. What Node compiled of the sources is kept (NODE_COMPILE_CACHE): each file is a process of its own, with workers and
//    commands that it starts, and would strip the types of the same three hundred modules each time.
// 4. Commands that tests start are those of a release, made first: one opens a handful of files where the checkout's opens four
//    hundred, and there are thousands of them. So do the engine's worker threads (test/joined-workers.ts), and the processes that
//    its tests start and kill, which are joined in the same way.
// 5. Temporary files are in memory where there is room: clusters and repositories come and go by the hundred, and all that
//    a disk adds is the wait for each of their syncs. TMPDIR, where it is set, decides. Data directories of the tests' servers
//    are copies of a few templates (packages/lab/src/template.ts).
// 6. The slow files begin first, so that no core ends with one of them alone.
// 7. `--times` ends with the files that took most processor time, which is what bounds a whole run.
// 8. Told to stop, it stops what it started, waits for that, and removes its folder.
// 9. Where CI is set, a skipped test counts as a failure: there everything that a test needs is installed.

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, glob, mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { inspect, promisify } from 'node:util';
import { descendantsOf, isAlive, killTree, signalProcess, untilGone } from '@spillway/lab';
import { joinPrograms } from './build/join.ts';

const PATTERNS = ['packages', 'apps', 'demo', 'bench', 'tools'].map((folder) => `${folder}/**/*.test.ts`);
/** One more than there are cores: much of a test waits for the disk, or for a server to start. */
const FILES_AT_ONCE = availableParallelism() + 1;
/** Slowest first; words of their paths. Only when they begin depends on it. */
const SLOW = [
  'demo/run',
  'engine/test/attacker.',
  'fault-torture',
  'operation-copy',
  'restore-delta',
  'fault-points',
  'majors.test',
  'operation-s3',
  'cli/test/keeping',
  'operation-summaries',
  'operation-stream.',
  'fault-damage',
  'operation-rewind',
  'bad-input-server',
  'fault-backup',
  'operation-restore.',
  'operation-expire',
  'operation-dump',
  'cli/test/documents',
  'operation-backup.',
  'cli/test/drill',
  'attacker-disk',
  'monitor/page/page',
];
const MEMORY_FOLDER = '/dev/shm';
/** The whole suite was seen to need a quarter of it at once. */
const MEMORY_NEEDED_BYTES = 6 * 1024 ** 3;
const FILE_TIMEOUT_MS = 15 * 60_000;
const END_WITHIN_MS = 10_000;
const TIMES_SHOWN = 30;
const OUTPUT_SHOWN_MAX = 200;

const root = join(import.meta.dirname, '..');
process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules', '.cache', 'compiled');
const withTimes = process.argv.includes('--times');
const wanted = process.argv.slice(2).filter((word) => word !== '--times');
const strict = process.env['CI'] !== undefined && process.env['CI'] !== '' && process.env['CI'] !== 'false';

const files: string[] = [];
for await (const path of glob(PATTERNS, { cwd: root, exclude: (name) => name === 'node_modules' })) {
  if (wanted.length === 0 || wanted.some((word) => path.includes(word))) files.push(join(root, path));
}

/** Below node_modules, so that what a release does not bundle is found. */
const release = join(root, 'node_modules', '.cache', 'release-under-test');
if (process.env['PROGRAM_UNDER_TEST'] === undefined && files.some((path) => /\/test\/|\/demo\//.test(path))) {
  await promisify(execFile)(process.execPath, [join(root, 'tools', 'build.ts'), release], { cwd: root });
  process.env['PROGRAM_UNDER_TEST'] = join(release, 'bin', 'spillway.js');
  const processes = join(root, 'node_modules', '.cache', 'processes-under-test');
  await rm(processes, { recursive: true, force: true });
  const programs = await Array.fromAsync(glob('packages/engine/test/*-process.ts', { cwd: root }));
  await joinPrograms(
    programs.map((path) => join(root, path)),
    processes,
  );
  process.env['PROCESSES_UNDER_TEST'] = processes;
}

// The embedded server's copy stays from one run to the next.
process.env['SPILLWAY_LAB_CACHE'] ??= join(tmpdir(), `spillway-lab-${process.getuid?.() ?? 0}`);
const temporary = await mkdtemp(join((await memoryFolder()) ?? tmpdir(), 'spw-run-'));
await chmod(temporary, 0o1777);
process.env['TMPDIR'] = temporary;
const templates = join(temporary, 'templates');
await mkdir(templates);
process.env['SPILLWAY_LAB_TEMPLATES'] = templates;
const times = join(temporary, 'times');
await mkdir(times);
process.env['TIMES_FOLDER'] = times;
process.once('exit', () => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 }));
const stopping = new AbortController();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  // More than once: a terminal tells the whole group, and npm tells us again.
  process.on(signal, () => {
    if (stopping.signal.aborted) return;
    console.log(`\n${signal}: stopping`);
    void endAll().finally(() => process.exit(code));
  });
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
const stream = run({
  files: inOrder(files),
  execArgv: [
    '--import',
    new URL('./test/joined-workers.ts', import.meta.url).href,
    ...(withTimes ? ['--import', new URL('./test/processor-time.ts', import.meta.url).href] : []),
  ],
  signal: stopping.signal,
  concurrency: FILES_AT_ONCE,
  timeout: FILE_TIMEOUT_MS,
  cwd: root,
});
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
  if (file === undefined || stopping.signal.aborted) return;
  const { passed, skipped, failures } = record(file);
  const counts = `${passed} passed${failures.length > 0 ? `, ${failures.length} FAILED` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  console.log(
    `${failures.length > 0 ? 'FAIL' : 'ok  '}  ${relative(root, file)}  ${counts}, ${(milliseconds / 1000).toFixed(1)} s`,
  );
});
for await (const event of stream) void event;
// Whoever was told to stop has nothing to say of tests that were stopped.
if (stopping.signal.aborted) await new Promise(() => undefined);

for (const [file, { failures, output }] of records) {
  if (failures.length === 0) continue;
  console.log(`\n${file}`);
  for (const failure of failures) console.log(indented(failure));
  if (output.length > 0) console.log(`  what it printed last:\n${indented(output.join('').trimEnd())}`);
}

if (withTimes) await tellTimes();

const sum = (count: (of: FileRecord) => number): number =>
  [...records.values()].reduce((total, of) => total + count(of), 0);
const skipped = sum((of) => of.skipped);
const failed = sum((of) => of.failures.length);
const passed = sum((of) => of.passed);
if (passed + failed === 0) console.log(`no test ran; the patterns are ${PATTERNS.join(', ')}`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || passed === 0 || (strict && skipped > 0) ? 1 : 0;

/** Undefined where there is none, or too little of it, or where what lies there may not be run. */
async function memoryFolder(): Promise<string | undefined> {
  if (process.env['TMPDIR'] !== undefined || process.availableMemory() < MEMORY_NEEDED_BYTES) return undefined;
  try {
    const { bavail, bsize } = await statfs(MEMORY_FOLDER);
    if (bavail * bsize < MEMORY_NEEDED_BYTES) return undefined;
    const folder = await mkdtemp(join(MEMORY_FOLDER, 'spw-run-'));
    try {
      const program = join(folder, 'program');
      await writeFile(program, '#!/bin/sh\n', { mode: 0o755 });
      await promisify(execFile)(program);
      return MEMORY_FOLDER;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch {
    return undefined;
  }
}

/** Those whose parents end meanwhile are ours all the same, so all are told at once. */
async function endAll(): Promise<void> {
  const family = descendantsOf(process.pid);
  stopping.abort();
  for (const { pid } of family) signalProcess(pid, 'SIGTERM');
  // Whoever does not end in time is killed below.
  await untilGone(family, END_WITHIN_MS).catch(() => undefined);
  for (const mark of [...family.filter(isAlive), ...descendantsOf(process.pid)]) await killTree(mark);
}

async function tellTimes(): Promise<void> {
  const taken: { readonly file: string; readonly seconds: number }[] = [];
  for (const name of await readdir(times)) {
    taken.push(JSON.parse(await readFile(join(times, name), 'utf8')) as { file: string; seconds: number });
  }
  const total = taken.reduce((all, { seconds }) => all + seconds, 0);
  console.log(`\nprocessor time, ${total.toFixed(0)} s in all, most of it in`);
  for (const { file, seconds } of taken.toSorted((left, right) => right.seconds - left.seconds).slice(0, TIMES_SHOWN)) {
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${relative(root, file)}`);
  }
}

function inOrder(paths: readonly string[]): readonly string[] {
  const place = (path: string): number => {
    const found = SLOW.findIndex((word) => path.includes(word));
    return found === -1 ? SLOW.length : found;
  };
  return paths.toSorted((left, right) => place(left) - place(right) || left.localeCompare(right));
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
