// Runs the real command line as a process of its own, in a folder of its own.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Workplace extends AsyncDisposable {
  readonly folder: string;
  readonly run: (words: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<Ended>;
  readonly start: (
    words: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => { readonly child: ChildProcessWithoutNullStreams; readonly ended: Promise<Ended> };
}

/** Of the release that `npm test` made, or of the checkout where a test is run by itself. */
export const mainFile = process.env['PROGRAM_UNDER_TEST'] ?? join(import.meta.dirname, '../bin/spillway.js');

/** A temporary folder with `files` in it, in which the command line runs with an empty environment. */
export async function makeWorkplace(files: Readonly<Record<string, string>> = {}): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-cli-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
  const start: Workplace['start'] = (words, environment = {}) => {
    const child = spawn(process.execPath, [mainFile, ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', ...environment },
    });
    child.stdin.end();
    return { child, ended: endOf(child) };
  };
  return {
    folder,
    start,
    run: (words, environment) => start(words, environment).ended,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
