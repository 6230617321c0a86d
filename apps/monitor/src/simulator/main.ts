#!/usr/bin/env node
// The command line of the simulator: `main.ts catalogue` prints the network for `load`; `main.ts run` sends telemetry.
//
// `run --url <monitor> --token-file <file> [--backfill <hours>] [--interval <seconds>] [--scenario <file>] [--ledger <file>]
// [--seed <n>]` first sends the hours gone by, a reading every five minutes, then one an interval, as time goes. Lines on
// standard input intervene (intervention.ts). Ends at SIGINT or SIGTERM.

import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { makeCatalogue } from './catalogue.ts';
import { type Intervention, parseIntervention } from './intervention.ts';
import { seededRandom } from './random.ts';
import { Ledger, Sender } from './sender.ts';
import { Telemetry } from './telemetry.ts';

const BACKFILL_STEP_MS = 5 * 60_000;
const WAITING_WHILE_BACKFILLING = 20;
const usage = `usage: main.ts catalogue
       main.ts run --url <monitor> --token-file <file> [--backfill <hours>] [--interval <seconds>]
                   [--scenario <file>] [--ledger <file>] [--seed <n>]`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  try {
    if (words[0] === 'catalogue' && words.length === 1) {
      process.stdout.write(`${JSON.stringify(await makeCatalogue())}\n`);
      return 0;
    }
    if (words[0] === 'run') return await run(readRun(words.slice(1)));
    process.stderr.write(`${usage}\n`);
    return 2;
  } catch (error) {
    process.stderr.write(`simulator: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

interface Run {
  readonly url: string;
  readonly tokenFile: string;
  readonly backfillMs: number;
  readonly intervalMs: number;
  readonly scenario: string | undefined;
  readonly ledger: string | undefined;
  readonly seed: number;
}

function readRun(args: readonly string[]): Run {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: text,
      'token-file': text,
      scenario: text,
      ledger: text,
      backfill: { ...text, default: '24' },
      interval: { ...text, default: '15' },
      seed: { ...text, default: '1' },
    },
  });
  const { url, 'token-file': tokenFile, scenario, ledger } = values;
  if (url === undefined || tokenFile === undefined) throw new TypeError(`--url and --token-file are needed\n${usage}`);
  const number = (name: 'backfill' | 'interval' | 'seed', least: number, most: number): number => {
    const value = Number(values[name]);
    if (!(value >= least && value <= most)) throw new RangeError(`--${name} is from ${least} to ${most}`);
    return value;
  };
  return {
    url,
    tokenFile,
    scenario,
    ledger,
    backfillMs: number('backfill', 0, 24 * 7) * 3_600_000,
    intervalMs: number('interval', 1, 3600) * 1000,
    seed: number('seed', 0, 2 ** 32 - 1),
  };
}

async function run(options: Run): Promise<number> {
  const end = new AbortController();
  process.once('SIGINT', () => end.abort()).once('SIGTERM', () => end.abort());
  const { signal } = end;
  const tell = (message: string): void => void process.stderr.write(`simulator: ${message}\n`);
  const planned = options.scenario === undefined ? [] : parseScenario(await readFile(options.scenario, 'utf8'));
  const token = (await readFile(options.tokenFile, 'utf8')).trim();
  const ledger = options.ledger === undefined ? undefined : new Ledger(options.ledger);
  const sender = new Sender({ url: options.url, token, tell, ...(ledger === undefined ? {} : { ledger }) });
  const sending = sender.run(signal);

  const began = Math.floor(Date.now() / options.intervalMs) * options.intervalMs;
  const telemetry = await Telemetry.begin(began - options.backfillMs, seededRandom(options.seed));
  const name = `sim-${new Date(began).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  let number = 0;
  const send = (time: number): void => {
    number += 1;
    sender.enqueue({ batch: `${name}/${number}`, readings: telemetry.sample(time) });
  };
  for (let time = began - options.backfillMs; time < began && !signal.aborted; time += BACKFILL_STEP_MS) {
    send(time);
    while (sender.waiting > WAITING_WHILE_BACKFILLING && !signal.aborted) await pause(5);
  }
  if (options.backfillMs > 0) tell(`the last ${options.backfillMs / 3_600_000} hours are sent`);

  const due: Intervention[] = [...planned];
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    try {
      const intervention = parseIntervention(line);
      if (intervention !== undefined) due.push({ ...intervention, afterMs: intervention.afterMs + Date.now() - began });
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
    }
  });
  for (let time = began; !signal.aborted; time += options.intervalMs) {
    await pause(Math.max(0, time - Date.now()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    for (const intervention of due.splice(0)) {
      if (intervention.afterMs > time - began) due.push(intervention);
      else intervene(telemetry, intervention, tell);
    }
    send(time);
  }
  lines.close();
  process.stdin.destroy();
  await sending;
  await ledger?.close();
  const { acknowledged, dropped, refused } = sender.counts;
  tell(`${acknowledged} batches acknowledged, ${dropped} dropped, ${refused} refused, ${sender.waiting} not sent`);
  return 0;
}

function parseScenario(text: string): readonly Intervention[] {
  return text.split('\n').flatMap((line) => parseIntervention(line) ?? []);
}

function intervene(telemetry: Telemetry, intervention: Intervention, tell: (message: string) => void): void {
  try {
    telemetry.intervene(intervention);
    tell(`${intervention.kind} ${intervention.at}`);
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
  }
}
