// Where a command says things: its result on stdout, all else on stderr.
//
// 1. With --json the result is one document on one line; without, text. Never both on stdout; with --json-lines the text, which a
//    reader from afar shows, is the last line on stderr, where it is not too long for one.
// 2. A reader that went away (`| head`) stops the output and nothing else: a backup goes on without its audience.
// 3. `flush` waits until both streams have taken everything, so that the end of the process cuts nothing off.

import type { Writable } from 'node:stream';
import type { Report } from '@spillway/contract';
import { coloursFor, isColoured, type ColourChoice, type Colours } from './colour.ts';
import { createJsonProgress } from './json-progress.ts';
import { createProgress } from './progress.ts';

export interface Output {
  readonly json: boolean;
  /** Colours of stdout. */
  readonly colours: Colours;
  /** Colours of stderr. */
  readonly messageColours: Colours;
  /** The command's result. `text` is asked only where it is shown. */
  readonly result: (document: unknown, text: (colours: Colours) => string) => void;
  /** A line for a person, on stderr; not with --quiet or --json. */
  readonly say: (line: string) => void;
  readonly warn: (message: string) => void;
  /** What operations report to. */
  readonly report: Report;
  /** Text on stderr as it is, after the progress line has been cleared. */
  readonly message: (text: string) => void;
  readonly flush: () => Promise<void>;
}

export interface OutputSettings {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly color: ColourChoice;
  readonly json: boolean;
  /** Progress and notices as JSON, one object a line on stderr. */
  readonly jsonLines: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** What a reader of lines takes; a longer result is a document alone. */
const RESULT_LINE_MAX = 60_000;
const PLAIN = coloursFor(false);

export function createOutput(settings: OutputSettings): Output {
  const { stdout, stderr, environment, color, json, jsonLines, quiet, verbose } = settings;
  const out = tolerant(stdout);
  const err = tolerant(stderr);
  const colours = coloursFor(isColoured(color, environment, stdout.isTTY === true));
  const messageColours = coloursFor(isColoured(color, environment, stderr.isTTY === true));
  const progress = jsonLines
    ? createJsonProgress({ write: err.write, now: () => new Date(), quiet })
    : createProgress({
        write: err.write,
        isTerminal: stderr.isTTY === true && environment['TERM'] !== 'dumb',
        columns: () => stderr.columns ?? 80,
        colours: messageColours,
        now: () => performance.now(),
        quiet,
        verbose,
      });
  return {
    json,
    colours,
    messageColours,
    result: (document, text) => {
      progress.end();
      const shown = json ? JSON.stringify(document) : text(colours);
      if (shown !== '') out.write(`${shown}\n`);
      if (!jsonLines) return;
      const line = JSON.stringify({ type: 'result', at: new Date().toISOString(), text: text(PLAIN) });
      if (line.length <= RESULT_LINE_MAX) err.write(`${line}\n`);
    },
    say: (line) => {
      if (!quiet && !json) progress.report({ type: 'notice', level: 'info', message: line });
    },
    warn: (message) => progress.report({ type: 'notice', level: 'warning', message }),
    report: progress.report,
    message: (text) => {
      progress.end();
      err.write(text);
    },
    flush: async () => {
      progress.end();
      await Promise.all([out.flush(), err.flush()]);
    },
  };
}

function tolerant(stream: Writable): { readonly write: (text: string) => void; readonly flush: () => Promise<void> } {
  let gone = false;
  stream.on('error', (error: Error & { readonly code?: string }) => {
    // EPIPE: nobody reads any more. Anything else (a full disk behind `>`) must not pass for success.
    if (error.code !== 'EPIPE') throw error;
    gone = true;
  });
  return {
    write: (text) => {
      if (!gone && !stream.destroyed) stream.write(text);
    },
    flush: () =>
      new Promise((resolve) => {
        if (gone || stream.destroyed) resolve();
        else stream.write('', () => resolve());
      }),
  };
}
