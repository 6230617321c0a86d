#!/usr/bin/env node
// The entry: of a checkout, which runs its sources, and of a release, which has them joined in dist/.
// Plain, old syntax, because the machine's own Node may be too old to read the rest: then the newer one that the `node`
// package installed beside us is run instead, with signals and exit code passed on.

import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const self = realpathSync(fileURLToPath(import.meta.url));
const source = join(dirname(self), '..', 'src');
const joined = join(dirname(self), '..', 'dist');
const load = (name) =>
  import(pathToFileURL(existsSync(source) ? join(source, `${name}.ts`) : join(joined, `${name}.js`)).href);

if (Number.parseInt(process.versions.node, 10) >= 24) {
  try {
    const words = process.argv.slice(2);
    if (words.includes('serve') || words.includes('receive')) becomeThrifty();
    await keepCompiled();
    if (words.includes('push') && (await load('pushed')).wasPushedAhead(words)) process.exit(0);
    await load('main');
  } catch (error) {
    process.stderr.write(`spillway: cannot start\n  ${String(error)}\n  hint: install Spillway again [SPW_INTERNAL]\n`);
    process.exitCode = 150;
  }
} else {
  const newer = newerNode();
  if (newer === undefined) {
    process.stderr.write(
      `spillway: this is Node ${process.versions.node}, and Spillway needs Node 24 or newer\n` +
        '  its TypeScript, zstd and resource handling are not there in older versions\n' +
        '  hint: install Node 24, or run npm install in the checkout, which brings one [SPW_USAGE]\n',
    );
    process.exitCode = 150; // above 125: should this be a restore_command, PostgreSQL must stop, not end its recovery
  } else {
    runWith(newer);
  }
}

/** Node keeps what it made of our sources, for us and our worker threads: half of the time of a short command. */
async function keepCompiled() {
  const { enableCompileCache } = await import('node:module');
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  process.env.NODE_COMPILE_CACHE ??= join(caches, 'spillway', 'compiled');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

/**
 * The service and its receivers run for months and mostly wait: the space for what is new in their memory stays small, what a
 * burst took is given back, which only the start of Node and of its memory's allocator can say. So they start themselves anew,
 * as the same process; what the service starts later has the memory that it is used to.
 */
function becomeThrifty() {
  const thrift = ['--max-semi-space-size=2', '--expose-gc'];
  if (process.execArgv.includes(thrift[0]) || typeof process.execve !== 'function') return;
  const environment = { MALLOC_TRIM_THRESHOLD_: '131072', ...process.env };
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...thrift, ...process.argv.slice(1)], environment);
}

/** node_modules/.bin/node of this folder or one above it. */
function newerNode() {
  for (let folder = dirname(self); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node');
    try {
      accessSync(candidate, constants.X_OK);
      if (realpathSync(candidate) !== realpathSync(process.execPath)) return candidate;
    } catch {
      // not in this folder: look in the one above
    }
    if (folder === dirname(folder)) return undefined;
  }
}

function runWith(node) {
  const child = spawn(node, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const pass = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  child.on('error', (error) => {
    process.stderr.write(`spillway: cannot run ${node}: ${error.message}\n`);
    process.exitCode = 150;
  });
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, pass);
    if (signal === null) process.exitCode = code ?? 150;
    else process.kill(process.pid, signal);
  });
}
